"""Tables as tensors on the device; a batch is an index gather.

In: the columns of an xycd table (numpy, rows sorted by sequence, person, frame) and the sequences'
frame rates. Out: a `PoseData`, which gives windows of any rows: columns (B, T, …), where T frames
lie 1/fps apart around (or, causal, before) each row and the ends are padded with the edge frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from auglift.errors import DataError, unknown_name
from auglift.lifting.spec import DepthControl

ROW_COLUMNS = ("joints_2d", "joint_confidence", "depth_m", "depth_valid", "detected", "image_wh")


@dataclass(frozen=True)
class PoseData:
    """Rows of all sequences as tensors, and where each row's track begins and ends."""

    columns: dict[str, Tensor]
    first: Tensor
    """(N,) the first row of each row's track (one person in one sequence)."""
    last: Tensor
    """(N,) its last row."""
    fps: Tensor
    """(N,) frame rate of its track."""

    def __len__(self) -> int:
        return len(self.first)

    def windows(self, rows: Tensor, offsets: Tensor, fps: float) -> dict[str, Tensor]:
        """Columns (B, T, …) of the frames `offsets`/`fps` seconds from each of `rows`."""
        return {name: column[self.window_rows(rows, offsets, fps)] for name, column in
                self.columns.items()}  # fmt: skip

    def window_rows(self, rows: Tensor, offsets: Tensor, fps: float) -> Tensor:
        """Row numbers (B, T); time is kept: at 50 Hz a 25 Hz window takes every other frame."""
        steps = (offsets * (self.fps[rows, None] / fps)).round().long()
        wanted = rows[:, None] + steps
        return torch.minimum(torch.maximum(wanted, self.first[rows, None]), self.last[rows, None])


def load_pose_data(
    columns: Mapping[str, npt.NDArray[Any]],
    track_start: npt.NDArray[np.integer[Any]],
    track_fps: npt.NDArray[np.floating[Any]],
    device: torch.device | str = "cpu",
    depth: DepthControl = "measured",
    seed: int = 0,
) -> PoseData:
    """Tensors from table columns; `track_start` (S+1,) bounds the tracks, `track_fps` (S,)."""
    if len(columns["detected"]) == 0:
        raise DataError(
            "the table has no rows", hint="run auglift merge again and read its summary"
        )
    names = [name for name in (*ROW_COLUMNS, "pose_3d", "visible") if name in columns]
    tensors = {name: _tensor(columns[name]).to(device) for name in names}
    lengths = np.diff(track_start)
    first = np.repeat(track_start[:-1], lengths)
    last = np.repeat(track_start[1:] - 1, lengths)
    tensors.update(controlled_depth(tensors, depth, seed))
    return PoseData(
        tensors,
        torch.from_numpy(first.astype(np.int64)).to(device),
        torch.from_numpy(last.astype(np.int64)).to(device),
        torch.from_numpy(np.repeat(track_fps, lengths).astype(np.float32)).to(device),
    )


def window_offsets(receptive_field: int, causal: bool) -> Tensor:
    """Frames of a window relative to the one that it is for: −13 … 13, or −26 … 0 if causal."""
    offsets = torch.arange(receptive_field, dtype=torch.float32)
    return offsets - (receptive_field - 1 if causal else receptive_field // 2)


def controlled_depth(columns: Mapping[str, Tensor], control: str, seed: int) -> dict[str, Tensor]:
    """The depth columns under a control experiment, so that a gain can be believed.

    true: the joints' own depth, an upper bound. shuffled: another row's, which must not help.
    constant: none at all.
    """
    depth, valid = columns["depth_m"], columns["depth_valid"]
    if control == "measured":
        return {}
    if control == "true":
        truth = columns["pose_3d"][..., 2:].expand_as(depth).contiguous()
        return {"depth_m": truth, "depth_valid": torch.ones_like(valid)}
    if control == "shuffled":
        order = torch.randperm(len(depth), generator=torch.Generator().manual_seed(seed))
        order = order.to(depth.device)
        return {"depth_m": depth[order], "depth_valid": valid[order]}
    if control == "constant":
        return {"depth_m": torch.ones_like(depth), "depth_valid": torch.ones_like(valid)}
    raise unknown_name("depth control", control, ("measured", "true", "shuffled", "constant"))


def _tensor(column: npt.NDArray[Any]) -> Tensor:
    if column.dtype == np.float64:
        column = column.astype(np.float32)
    # Parquet columns arrive read-only, which torch warns about; training never writes to them.
    return torch.from_numpy(np.require(column, requirements=["C", "W"]))
