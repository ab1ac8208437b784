"""Lifted people as files: JSON for programs and people, NPZ for numpy, Parquet for tables.

In: `LiftedPeople`, one entry per tracked person. Out: a JSON document (docs/people_json.md says
every field), or an `.npz` or `.parquet` with the same names, in which all people's rows stand one
below the other. Metres, camera axes (x right, y down, z forward), poses about their root; the
root's own place beside them, where it is known.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from auglift.geometry.camera import Camera
from auglift.geometry.ground import World
from auglift.geometry.skeleton import Skeleton
from auglift.storage.atomic import replacing, write_text

FORMAT = "auglift-people"
VERSION = 2
"""2 added camera, world, positions, root_m and uncertainty_m to 1."""
AXES = "camera: x right, y down, z forward"
UNKNOWN_POSITIONS = "unknown: poses are about their root"

ROWS = (
    "frame", "time_s", "detected", "pose_3d", "root_m", "uncertainty_m", "joints_2d", "confidence",
)  # fmt: skip
"""What every person has for every frame, by the names of the files."""

_DIGITS = {
    "time_s": 6, "pose_3d": 5, "root_m": 5, "uncertainty_m": 4, "joints_2d": 2, "confidence": 4,
}  # fmt: skip


@dataclass(frozen=True, repr=False)
class LiftedPerson:
    """One person's frames; rows are in the order of time."""

    person: int
    frame: npt.NDArray[np.integer[Any]]
    """(T,) frame numbers of the source."""
    time_s: npt.NDArray[np.floating[Any]]
    """(T,)"""
    detected: npt.NDArray[np.bool_]
    """(T,) whether the person was seen in this frame; else the row is interpolated, or NaN."""
    pose_3d: npt.NDArray[np.floating[Any]]
    """(T, J, 3) m, about the root; NaN where nothing is known."""
    joints_2d: npt.NDArray[np.floating[Any]]
    """(T, J, 2) px; NaN likewise."""
    confidence: npt.NDArray[np.floating[Any]]
    """(T, J); NaN likewise."""
    root_m: npt.NDArray[np.floating[Any]] | None = None
    """(T, 3) m, the root in camera axes; NaN where unknown, None where never known."""
    uncertainty_m: npt.NDArray[np.floating[Any]] | None = None
    """(T, J) m, how far each joint of `pose_3d` may be off; NaN and None likewise."""

    def __repr__(self) -> str:
        spans = f"{self.time_s[0]:.2f} to {self.time_s[-1]:.2f} s, " if len(self.time_s) else ""
        return (
            f"LiftedPerson({self.person}: {spans}{int(self.is_lifted.sum())} poses "
            f"in {len(self.frame)} frames)"
        )

    @property
    def is_lifted(self) -> npt.NDArray[np.bool_]:
        """(T,) whether the row has a pose."""
        return np.asarray(np.isfinite(self.pose_3d).all(axis=(1, 2)))

    @property
    def is_placed(self) -> npt.NDArray[np.bool_]:
        """(T,) whether the row has a pose and a place."""
        if self.root_m is None:
            return np.zeros(len(self.frame), bool)
        return np.asarray(self.is_lifted & np.isfinite(self.root_m).all(axis=1))

    def rows(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays of `ROWS`; what was never known is NaN."""
        n_frames, n_joints = self.pose_3d.shape[:2]
        unknown: dict[str, tuple[int, ...]] = {"root_m": (3,), "uncertainty_m": (n_joints,)}
        arrays = {name: getattr(self, name) for name in ROWS}
        for name, shape in unknown.items():
            if arrays[name] is None:
                arrays[name] = np.full((n_frames, *shape), np.nan, np.float32)
        return arrays


@dataclass(frozen=True, repr=False)
class LiftedPeople:
    """All people of one source, and what the numbers mean."""

    source: str
    skeleton: Skeleton
    image_wh: tuple[int, int]
    fps: float
    lifter: str
    people: list[LiftedPerson] = field(default_factory=list)
    camera: Camera | None = None
    """The lens that the places were found with; its own place in the world is not used."""
    world: World = field(default_factory=World)
    """How camera axes become axes of which one points up."""
    positions: str = UNKNOWN_POSITIONS
    """How size and places were found, in words."""

    def __repr__(self) -> str:
        who = "".join(f"\n  {person!r}" for person in self.people)
        return f"LiftedPeople({self.source!r}, {self.fps:g} Hz, {len(self.people)} person(s)){who}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from auglift.outputs.notebook import people_html  # which draws, and needs people itself

        return people_html(self)


def as_document(lifted: LiftedPeople) -> dict[str, Any]:
    """The JSON document; what is not known is null, never NaN."""
    return {**describe(lifted), "people": [_person_document(person) for person in lifted.people]}


def describe(lifted: LiftedPeople) -> dict[str, Any]:
    """What the numbers mean, without the numbers."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "units": "metres",
        "axes": AXES,
        "root_relative": True,
        "source": lifted.source,
        "lifter": lifted.lifter,
        "image_wh": list(lifted.image_wh),
        "fps": lifted.fps,
        "skeleton": {
            "name": lifted.skeleton.name,
            "joints": list(lifted.skeleton.joints),
            "parents": list(lifted.skeleton.parents),
        },
        "positions": lifted.positions,
        "camera": _camera_document(lifted.camera),
        "world": {
            "rotation": _rounded(lifted.world.rotation, 9),
            "translation": _rounded(lifted.world.translation, 5),
            "up": lifted.world.up,
            "how": lifted.world.how,
        },
    }


def write_json(path: Path, lifted: LiftedPeople) -> None:
    """Write the document."""
    write_text(path, json.dumps(as_document(lifted), allow_nan=False, ensure_ascii=False) + "\n")


def write_npz(path: Path, lifted: LiftedPeople) -> None:
    """Write all rows (R, …) with their `person` beside them; `about` is the JSON of `describe`."""
    arrays: dict[str, Any] = dict(_columns(lifted))
    arrays["about"] = np.array(json.dumps(describe(lifted), ensure_ascii=False))
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def write_parquet(path: Path, lifted: LiftedPeople) -> None:
    """Write one row per person and frame; `about` in the metadata is the JSON of `describe`.

    Arrays of a row are Arrow's fixed_shape_tensor: lists of fixed length to readers without it.
    """
    columns = {name: _arrow(values) for name, values in _columns(lifted).items()}
    about = json.dumps(describe(lifted), ensure_ascii=False)
    table = pa.table(columns).replace_schema_metadata({"about": about})
    with replacing(path) as temporary:
        pq.write_table(table, temporary)


def _columns(lifted: LiftedPeople) -> dict[str, npt.NDArray[Any]]:
    """All people's rows (R, …) by name, one person below the other."""
    everybody = [*lifted.people, empty_person(lifted.skeleton.n_joints)]
    rows = [person.rows() for person in everybody]
    numbers = [person.person for person in everybody]
    return {
        "person": np.repeat(numbers, [len(person.frame) for person in everybody]),
        **{name: np.concatenate([row[name] for row in rows]) for name in ROWS},
    }


def _arrow(values: npt.NDArray[Any]) -> Any:
    """An Arrow array of rows (R, …)."""
    if values.ndim == 1:
        return pa.array(values)
    shape, flat = values.shape[1:], pa.array(values.reshape(-1))
    rows = pa.FixedSizeListArray.from_arrays(flat, int(np.prod(shape)))
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(flat.type, shape), rows)


def empty_person(n_joints: int) -> LiftedPerson:
    """Nobody: no rows, of the right shapes, for files in which nobody was seen."""
    empty = np.zeros(0)
    return LiftedPerson(
        person=-1,
        frame=empty.astype(np.int64),
        time_s=empty,
        detected=empty.astype(bool),
        pose_3d=np.zeros((0, n_joints, 3), np.float32),
        joints_2d=np.zeros((0, n_joints, 2), np.float32),
        confidence=np.zeros((0, n_joints), np.float32),
    )


def _person_document(person: LiftedPerson) -> dict[str, Any]:
    rows = {
        name: _rounded(values, _DIGITS[name]) if name in _DIGITS else values.tolist()
        for name, values in person.rows().items()
    }
    return {"person": person.person, **rows}


def _camera_document(camera: Camera | None) -> dict[str, Any] | None:
    if camera is None:
        return None
    return {"intrinsics": _rounded(camera.intrinsics, 9), "distortion": camera.distortion}


def _rounded(values: npt.NDArray[np.floating[Any]], digits: int) -> Any:
    """Nested lists with null for NaN; 0.01 mm and 0.01 px are finer than anything measured."""
    rounded = np.round(values.astype(np.float64), digits)
    values_or_null = rounded.astype(object)
    values_or_null[~np.isfinite(rounded)] = None
    return values_or_null.tolist()
