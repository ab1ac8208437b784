"""Lifted people as files: JSON for programs and people, NPZ for numpy.

In: `LiftedPeople`, one entry per tracked person. Out: a JSON document (see `as_document`; format
and version are inside) or an `.npz` with the same names, in which all people's rows stand one below
the other. Metres, camera axes (x right, y down, z forward), poses about their root.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.skeleton import Skeleton
from auglift.storage.atomic import replacing, write_text

FORMAT = "auglift-people"
VERSION = 1
AXES = "camera: x right, y down, z forward"


@dataclass(frozen=True)
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

    @property
    def is_lifted(self) -> npt.NDArray[np.bool_]:
        """(T,) whether the row has a pose."""
        return np.asarray(np.isfinite(self.pose_3d).all(axis=(1, 2)))


@dataclass(frozen=True)
class LiftedPeople:
    """All people of one source, and what the numbers mean."""

    source: str
    skeleton: Skeleton
    image_wh: tuple[int, int]
    fps: float
    lifter: str
    people: list[LiftedPerson] = field(default_factory=list)


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
    }


def write_json(path: Path, lifted: LiftedPeople) -> None:
    """Write the document."""
    write_text(path, json.dumps(as_document(lifted), allow_nan=False, ensure_ascii=False) + "\n")


def write_npz(path: Path, lifted: LiftedPeople) -> None:
    """Write all rows (R, …) with their `person` beside them; `about` is the JSON of `describe`."""
    rows = [*lifted.people, _nobody(lifted.skeleton.n_joints)]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(person, name) for person in rows])
        for name in ("frame", "time_s", "detected", "pose_3d", "joints_2d", "confidence")
    }
    arrays["person"] = np.repeat([row.person for row in rows], [len(row.frame) for row in rows])
    arrays["about"] = np.array(json.dumps(describe(lifted), ensure_ascii=False))
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def _nobody(n_joints: int) -> LiftedPerson:
    """No rows, of the right shapes: what stays in the file where nobody was seen."""
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
    return {
        "person": person.person,
        "frame": person.frame.tolist(),
        "time_s": _rounded(person.time_s, 6),
        "detected": person.detected.tolist(),
        "pose_3d": _rounded(person.pose_3d, 5),
        "joints_2d": _rounded(person.joints_2d, 2),
        "confidence": _rounded(person.confidence, 4),
    }


def _rounded(values: npt.NDArray[np.floating[Any]], digits: int) -> Any:
    """Nested lists with null for NaN; 0.01 mm and 0.01 px are finer than anything measured."""
    rounded = np.round(values.astype(np.float64), digits)
    values_or_null = rounded.astype(object)
    values_or_null[~np.isfinite(rounded)] = None
    return values_or_null.tolist()
