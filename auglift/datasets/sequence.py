"""The one shape of result of every dataset reader: one take of one camera, annotated.

A reader lists its sequences cheaply (`SequenceId`) and reads them one by one; `preprocess` checks
and writes them. Metres, camera axes (x right, y down, z forward), pixels.

A reader that knows more of its dataset than that offers
`check(folder, options) -> list[CheckLine]` besides: what is there, what is missing, what looks
wrong. For all others `checking.py` tries what it can.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from auglift.datasets.options import DatasetOptions
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class SequenceId:
    """A sequence that a dataset holds, before it is read."""

    name: str
    """Unique in the table: `h36m/S9/Walking 1/54138969`."""
    split: str
    folder: Path
    """Where its files lie."""
    camera_name: str


@dataclass(frozen=True, eq=False)
class AnnotatedSequence:
    """All rows of one sequence, by (person, frame)."""

    id: SequenceId
    skeleton: Skeleton
    subject: str
    action: str
    fps: float
    source: str
    """Video (or folder of pictures), relative to the dataset's folder."""
    cameras: Sequence[Camera]
    """One per row; the same object where the camera stands still."""
    person: npt.NDArray[np.integer[Any]]
    """(N,)"""
    frame: npt.NDArray[np.integer[Any]]
    """(N,) numbers of the source's pictures."""
    keypoints_2d: FloatArray
    """(N, J, 2) px."""
    pose_3d: FloatArray
    """(N, J, 3) m."""
    visible: npt.NDArray[np.bool_]
    """(N, J)"""
    reprojects: bool = True
    """Whether the 3D, projected, is meant to meet the 2D; a pose of another size is not."""

    def __len__(self) -> int:
        return len(self.frame)

    def columns(self) -> dict[str, Any]:
        """The rows as columns of the `annotations` table."""
        hidden = ~self.visible[..., None]
        return {
            **{name: [text] * len(self) for name, text in self._texts().items()},
            "person": self.person.astype(np.int16),
            "frame": self.frame.astype(np.int32),
            "time_s": self.frame / self.fps,
            "image_wh": self._of_cameras("image_wh").astype(np.int32),
            "intrinsics": self._of_cameras("intrinsics"),
            "rotation": self._of_cameras("rotation"),
            "translation": self._of_cameras("translation"),
            "keypoints_2d": np.where(hidden, np.nan, self.keypoints_2d).astype(np.float32),
            "pose_3d": np.where(hidden, np.nan, self.pose_3d).astype(np.float32),
            "visible": self.visible,
        }

    def reprojection_px(self) -> FloatArray:
        """Distance of the projected 3D joints from the 2D ones: of those that are visible, and of
        none where the two are not meant to meet.
        """
        if not self.reprojects:
            return np.empty(0)
        projected = np.empty(self.keypoints_2d.shape)
        for rows, camera in self._shots():
            projected[rows] = camera.project(self.pose_3d[rows])
        error: FloatArray = np.linalg.norm(projected - self.keypoints_2d, axis=-1)
        return error[self.visible]

    def _shots(self) -> list[tuple[slice, Camera]]:
        """Runs of rows that share a camera object: one, where the camera stands still."""
        shots, start = [], 0
        for _, run in itertools.groupby(self.cameras, key=id):
            cameras = list(run)
            shots.append((slice(start, start + len(cameras)), cameras[0]))
            start += len(cameras)
        return shots

    def _of_cameras(self, name: str) -> FloatArray:
        """One property of the camera of every row (N, ...)."""
        one_row = getattr(self.cameras[0], name)
        values = np.empty((len(self), *np.shape(one_row)), np.asarray(one_row).dtype)
        for rows, camera in self._shots():
            values[rows] = getattr(camera, name)
        return values

    def _texts(self) -> dict[str, str]:
        return {
            "sequence": self.id.name,
            "split": self.id.split,
            "subject": self.subject,
            "action": self.action,
            "camera_name": self.id.camera_name,
            "source": self.source,
        }


@dataclass(frozen=True)
class CheckLine:
    """One thing that a look at a raw dataset has found."""

    status: Literal["ok", "missing", "wrong", "note"]
    what: str
    where: str = ""
    """The file or folder that it is about."""


class DatasetReader(Protocol):
    """What a module of `auglift.datasets` offers."""

    def list_sequences(self, folder: Path, options: DatasetOptions) -> list[SequenceId]:
        """Everything that the dataset's folder holds, in any order."""
        ...

    def read_sequence(
        self, folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
    ) -> AnnotatedSequence:
        """One sequence, every `every`-th frame of it."""
        ...
