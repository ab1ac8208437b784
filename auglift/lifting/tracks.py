"""Tracks of people from anywhere → poses: what `infer` asks of a lifter.

In: for each person the columns of its frames (T, …), in the order of time and without holes, as
`features.py` names them (all but `image_wh`); rows that are not `detected` are empty. Out: for each
person the poses (T, J, 3), NaN in the empty rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.lifting.data import load_pose_data
from auglift.lifting.lifter import Lifter

Columns = Mapping[str, npt.NDArray[Any]]


def lift_tracks(
    lifter: Lifter, tracks: Sequence[Columns], image_wh: tuple[int, int], fps: float
) -> list[npt.NDArray[np.float32]]:
    """Lift each person by his own frames, all of one clip."""
    if not tracks:
        return []
    columns = {name: np.concatenate([track[name] for track in tracks]) for name in tracks[0]}
    columns["image_wh"] = np.tile(np.array(image_wh, np.int32), (len(columns["detected"]), 1))
    starts = np.cumsum([0, *(len(track["detected"]) for track in tracks)])
    data = load_pose_data(columns, starts, np.full(len(tracks), fps), lifter.device)
    poses = lifter.lift(data)
    poses[~columns["detected"]] = np.nan
    return np.split(poses, starts[1:-1])
