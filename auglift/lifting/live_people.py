"""People who come and go, lifted as they are seen: one frame in, one pose each out.

In: for each frame its time, who is in it (N,) and their columns (N, …). Out: poses (N, J, 3) about
their roots. What is kept is what the lifter needs of the past, for a fixed number of places; who is
not seen for `memory_s` leaves his place to others. Where all are taken, those who come last have no
pose (NaN) until somebody leaves.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from auglift.geometry.camera import Camera
from auglift.geometry.placement import place
from auglift.geometry.smoothing import OneEuro
from auglift.lifting.lifter import Lifter
from auglift.lifting.people import ASSUMED_HEIGHT_M

FloatArray = npt.NDArray[np.floating[Any]]

MOST_PEOPLE = 8

logger = logging.getLogger(__name__)


class LivePeople:
    """A lifter's memory of everybody who was seen lately."""

    def __init__(
        self,
        lifter: Lifter,
        image_wh: tuple[int, int],
        fps: float,
        *,
        intrinsics: Sequence[float] | None = None,
        memory_s: float,
        most_people: int = MOST_PEOPLE,
    ) -> None:
        self.lifter, self.memory_s, self.most_people = lifter, memory_s, most_people
        self._live = lifter.live(most_people, every=_every(fps, lifter.spec.fps))
        self._fixed: dict[str, Any] = {"image_wh": np.array(image_wh, np.int32)}
        if intrinsics is not None:
            self._fixed["intrinsics"] = np.array(intrinsics, np.float32)
        self._places: dict[int, int] = {}
        self._seen_s: dict[int, float] = {}

    def step(
        self, time_s: float, numbers: npt.NDArray[np.integer[Any]], columns: Mapping[str, Any]
    ) -> npt.NDArray[np.float32]:
        """The poses (N, J, 3) of the people with these numbers, who are seen now."""
        self._forget(time_s)
        places = np.array([self._place(number, time_s) for number in numbers.tolist()], int)
        has_place = places >= 0
        everybody = self._columns(places[has_place], has_place, columns)
        lifted = self._live.step(everybody).cpu().numpy()
        poses = np.full((len(numbers), *lifted.shape[1:]), np.nan, np.float32)
        poses[has_place] = lifted[places[has_place]]
        return poses

    def cut(self) -> None:
        """A new shot begins with the next frame: all places are free."""
        self._places.clear()
        self._seen_s.clear()

    def _forget(self, time_s: float) -> None:
        for number, seen_s in list(self._seen_s.items()):
            if time_s - seen_s > self.memory_s:
                del self._seen_s[number], self._places[number]

    def _place(self, number: int, time_s: float) -> int:
        """Somebody's place, a free one for who is new; −1 where there is none."""
        if number not in self._places:
            free = set(range(self.most_people)) - set(self._places.values())
            if not free:
                return -1
            self._places[number] = min(free)
            self._live.reset([self._places[number]])
        self._seen_s[number] = time_s
        return self._places[number]

    def _columns(
        self, places: npt.NDArray[Any], chosen: npt.NDArray[np.bool_], columns: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The columns (P, …) of all places; where nobody is seen the row is not detected."""
        rows: dict[str, npt.NDArray[Any]] = {"detected": np.zeros(self.most_people, bool)}
        rows["detected"][places] = True
        for name in set(self.lifter.spec.columns) & set(columns):
            values = np.asarray(columns[name])
            blank = False if values.dtype == bool else np.nan
            rows[name] = np.full((self.most_people, *values.shape[1:]), blank, values.dtype)
            rows[name][places] = values[chosen]
        for name, value in self._fixed.items():
            rows[name] = np.tile(value, (self.most_people, 1))
        return {name: torch.from_numpy(row).to(self.lifter.device) for name, row in rows.items()}


def _every(fps: float, own_fps: float) -> float:
    """Frames of the camera in one of the lifter's."""
    every = fps / own_fps
    if not every.is_integer():
        logger.info(
            "the camera's %g Hz are no multiple of the lifter's %g Hz: its past is interpolated",
            fps, own_fps,
        )  # fmt: skip
    return every


class LivePlaces:
    """Where everybody stands, frame by frame, by reprojection; smoothed by One-Euro filters."""

    def __init__(
        self, lifter: Lifter, camera: Camera, height_m: float | None, smooth: bool
    ) -> None:
        metric = lifter.spec.target.metric
        self.height_m = height_m if height_m or metric else ASSUMED_HEIGHT_M
        self.skeleton, self.camera, self.smooth = lifter.skeleton, camera, smooth
        self._filters: dict[int, tuple[OneEuro, OneEuro]] = {}

    def step(
        self,
        time_s: float,
        numbers: npt.NDArray[np.integer[Any]],
        poses: FloatArray,
        joints_2d: FloatArray,
        confidence: FloatArray,
    ) -> dict[str, FloatArray]:
        """Poses (N, J, 3) and roots (N, 3), with the joints that they were found from."""
        people = numbers.tolist()
        self._filters = {n: f for n, f in self._filters.items() if n in people}
        placed_poses, roots = np.array(poses, np.float64), np.full((len(people), 3), np.nan)
        for i, number in enumerate(people):
            pose_filter, root_filter = self._filters.setdefault(number, (OneEuro(), OneEuro()))
            pose = pose_filter(time_s, poses[i]) if self.smooth else poses[i]
            if not np.isfinite(pose).all():
                continue
            at_s = np.array([time_s])
            placed = place(
                pose[None], joints_2d[i : i + 1], confidence[i : i + 1], at_s,
                self.camera, self.skeleton, height_m=self.height_m,
            )  # fmt: skip
            root = placed.root_m[0]
            placed_poses[i] = placed.pose_3d[0]
            roots[i] = root_filter(time_s, root) if self.smooth else root
        return {
            "pose_3d": placed_poses, "root_m": roots, "joints_2d": joints_2d,
            "confidence": confidence,
        }  # fmt: skip
