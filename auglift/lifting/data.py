"""Tables as tensors on the device; a batch is an index gather.

In: the columns of an xycd table (numpy, rows sorted by sequence, person, frame) and the sequences'
frame rates. Out: a `PoseData`, which gives windows of any rows: columns (B, T, …), where T frames
lie 1/fps apart around (or, causal, before) each row and the ends are padded with the edge frames.

A table that is larger than the device stays in the host's memory; its windows then travel through
pinned memory, while the device works on the ones before.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from auglift.errors import DataError, unknown_name
from auglift.lifting.spec import DepthControl

ROW_COLUMNS = (
    "joints_2d", "joint_confidence", "depth_m", "depth_valid", "detected", "image_wh",
    "intrinsics", "features", "pose_3d", "visible",
)  # fmt: skip

# Of a device's free memory, what a table may fill: network, gradients and windows need the rest.
TABLE_SHARE = 0.6


logger = logging.getLogger(__name__)


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

    @property
    def device(self) -> torch.device:
        """Where the columns are."""
        return self.first.device

    def windows(
        self, rows: Tensor, offsets: Tensor, fps: float, names: Collection[str] | None = None
    ) -> dict[str, Tensor]:
        """Columns (B, T, …) of the frames `offsets`/`fps` seconds from each of `rows`.

        `names` are the columns; default: all there are.
        """
        wanted = self.window_rows(rows, offsets, fps)
        # Three times as fast on a CPU as `column[wanted]`.
        return {
            name: column.index_select(0, wanted.flatten()).view(*wanted.shape, *column.shape[1:])
            for name, column in self.columns.items()
            if names is None or name in names
        }

    def window_rows(self, rows: Tensor, offsets: Tensor, fps: float) -> Tensor:
        """Row numbers (B, T); time is kept: at 50 Hz a 25 Hz window takes every other frame."""
        wanted = self._wanted_rows(rows, offsets, fps)
        return torch.minimum(torch.maximum(wanted, self.first[rows, None]), self.last[rows, None])

    def inside(self, rows: Tensor, offsets: Tensor, fps: float) -> Tensor:
        """(B, T) which frames of the windows are frames of the track, not padding."""
        wanted = self._wanted_rows(rows, offsets, fps)
        return (wanted >= self.first[rows, None]) & (wanted <= self.last[rows, None])

    def _wanted_rows(self, rows: Tensor, offsets: Tensor, fps: float) -> Tensor:
        steps = (offsets * (self.fps[rows, None] / fps)).round().long()
        return rows[:, None] + steps


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
    names = [name for name in ROW_COLUMNS if name in columns]
    tensors = {name: _tensor(columns[name]).to(device) for name in names}
    lengths = np.diff(track_start)
    first = np.repeat(track_start[:-1], lengths)
    last = np.repeat(track_start[1:] - 1, lengths)
    if "depth_m" in tensors:
        tensors.update(controlled_depth(tensors, depth, seed))
    return PoseData(
        tensors,
        torch.from_numpy(first.astype(np.int64)).to(device),
        torch.from_numpy(last.astype(np.int64)).to(device),
        torch.from_numpy(np.repeat(track_fps, lengths).astype(np.float32)).to(device),
    )


def storage_device(
    columns: Mapping[str, npt.NDArray[Any]],
    device: str,
    wanted: Literal["auto", "device", "host"] = "auto",
) -> str:
    """Where the table is to lie: on `device`, or in the host's memory if it is too large for it."""
    if wanted == "host" or not device.startswith("cuda"):
        return "cpu" if wanted == "host" else device
    n_bytes = sum(columns[name].nbytes for name in ROW_COLUMNS if name in columns)
    free, _ = torch.cuda.mem_get_info(device)
    if wanted == "device" or n_bytes <= TABLE_SHARE * free:
        return device
    logger.warning(
        "the table (%.1f GB) does not fit %s (%.1f GB free); it stays in the host's memory",
        n_bytes / 1e9, device, free / 1e9,
    )  # fmt: skip
    return "cpu"


def onto(columns: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """The columns on `device`; from the host they travel while both go on working."""
    return {name: _sent(column, device) for name, column in columns.items()}


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


def _sent(column: Tensor, device: torch.device) -> Tensor:
    if column.device == device:
        return column
    if device.type != "cuda":
        return column.to(device)
    return column.pin_memory().to(device, non_blocking=True)


def _tensor(column: npt.NDArray[Any]) -> Tensor:
    if column.dtype == np.float64:
        column = column.astype(np.float32)
    # Parquet columns arrive read-only, which torch warns about; training never writes to them.
    return torch.from_numpy(np.require(column, requirements=["C", "W"]))
