"""Motions read from files: motion capture as npz, and BVH.

The npz format holds H36M-17 joints and the face in millimetres, world, Z up:

    poses (N, 17, 3), face5 (N, 5, 3)    all sequences one after the other
    seq_start (S + 1,)                   frame at which each sequence starts, and N
    fps, subject, action, split (S,)     per sequence; split is "train" or "test"
    joint_names (17,)                    as in `_JOINT_NAMES`

Out: `Motion`s with all 26 joints of the studio, in metres. Neither format holds heels, and only
some BVH files hold toes or a face: what is missing is estimated (`estimates.py`).
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import BrokenFileError, MissingDataError, SchemaError
from auglift.studio.estimates import estimate_feet
from auglift.studio.motions import Motion

FloatArray = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[Any]]

_KEYS = ("poses", "face5", "seq_start", "fps", "subject", "action", "split", "joint_names")
_PER_SEQUENCE = ("fps", "subject", "action", "split")
_KINDS = {"poses": "f", "face5": "f", "fps": "fiu", "seq_start": "iu"}
# The format's own spelling of H36M-17, in the same order.
_JOINT_NAMES = (
    *("Pelvis", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "Spine", "Thorax"),
    *("NeckNose", "Head", "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist"),
)


def read_mocap(path: Path) -> Iterator[Motion]:
    """The sequences of a motion-capture npz; the file is checked as a whole before the first."""
    arrays = _load(path)
    _check(arrays, path)
    return _sequences(arrays)


def _sequences(arrays: Arrays) -> Iterator[Motion]:
    bounds = arrays["seq_start"]
    for i_sequence, (start, end) in enumerate(pairwise(bounds)):
        poses = arrays["poses"][start:end].astype(np.float64) / 1000
        face = arrays["face5"][start:end].astype(np.float64) / 1000
        yield Motion(
            name=str(arrays["action"][i_sequence]),
            fps=float(arrays["fps"][i_sequence]),
            positions=np.concatenate([poses, face, estimate_feet(poses)], axis=1),
            subject=str(arrays["subject"][i_sequence]),
            split=str(arrays["split"][i_sequence]),
        )


def _load(path: Path) -> Arrays:
    """The arrays of the file. Pickled content is refused: it could run code."""
    if not path.is_file():
        raise MissingDataError("no such motion file", where=path)
    try:
        with path.open("rb") as file:  # numpy would leave a broken zip open
            stored = np.load(file, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise SchemaError("one array, where an npz of several is wanted", where=path)
            missing = [key for key in _KEYS if key not in stored.files]
            if missing:
                raise SchemaError(
                    f"not a motion-capture npz: no {', '.join(missing)}",
                    where=path,
                    hint=f"it must hold {', '.join(_KEYS)}; found {', '.join(stored.files)}",
                )
            return {key: stored[key] for key in _KEYS}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BrokenFileError(
            f"the motion file cannot be read: {error}",
            where=path,
            hint="it must be an npz of plain arrays, without Python objects",
        ) from error


def _check(arrays: Arrays, path: Path) -> None:
    """Shapes and kinds, order of the joints, bounds of the sequences, finite numbers."""
    n_frames, n_sequences = arrays["poses"].shape[:1], max(arrays["seq_start"].size - 1, 0)
    wanted = {"poses": (*n_frames, 17, 3), "face5": (*n_frames, 5, 3), "joint_names": (17,)}
    wanted |= {"seq_start": (n_sequences + 1,)} | dict.fromkeys(_PER_SEQUENCE, (n_sequences,))
    for key, shape in wanted.items():
        if arrays[key].shape != shape:
            raise SchemaError(f"{key} is {arrays[key].shape}, wanted {shape}", where=path)
    for key, kinds in _KINDS.items():
        if arrays[key].dtype.kind not in kinds:
            raise SchemaError(f"{key} holds {arrays[key].dtype}, wanted numbers", where=path)
        if not np.isfinite(arrays[key]).all():
            raise BrokenFileError(f"{key} holds values that are not finite", where=path)
    if tuple(map(str, arrays["joint_names"])) != _JOINT_NAMES:
        raise SchemaError(
            "joint_names are not H36M-17's", where=path, hint=f"wanted {', '.join(_JOINT_NAMES)}"
        )
    bounds = arrays["seq_start"]
    if bounds[0] != 0 or bounds[-1] != n_frames[0] or np.any(np.diff(bounds) < 1):
        raise SchemaError(f"seq_start does not cut {n_frames[0]} frames up", where=path)
    if np.any(arrays["fps"] <= 0):
        raise BrokenFileError("fps must be above 0", where=path)
