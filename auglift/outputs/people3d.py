"""Lifted people as files: JSON for programs and people, NPZ for numpy.

In: `LiftedPeople`, one entry per tracked person. Out: a JSON document (see `as_document`; format
and version are inside) or an `.npz` with the same names. Metres, camera axes (x right, y down,
z forward), poses about their root.
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
    pose_3d: npt.NDArray[np.floating[Any]]
    """(T, J, 3) m, about the root; NaN where nothing was detected."""
    joints_2d: npt.NDArray[np.floating[Any]]
    """(T, J, 2) px."""
    confidence: npt.NDArray[np.floating[Any]]
    """(T, J)"""


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
        "people": [_person_document(person) for person in lifted.people],
    }


def write_json(path: Path, lifted: LiftedPeople) -> None:
    """Write the document."""
    write_text(path, json.dumps(as_document(lifted), allow_nan=False, ensure_ascii=False) + "\n")


def write_npz(path: Path, lifted: LiftedPeople) -> None:
    """Write all people's rows one below the other, with their `person` beside them."""
    people = lifted.people
    arrays = {
        name: np.concatenate([getattr(person, name) for person in people])
        for name in ("frame", "time_s", "pose_3d", "joints_2d", "confidence")
        if people
    }
    numbers = [np.full(len(person.frame), person.person) for person in people]
    described = as_document(lifted) | {"people": []}
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            allow_pickle=False,
            person=np.concatenate(numbers) if numbers else np.empty(0, int),
            about=np.array(json.dumps(described)),
            **arrays,
        )


def _person_document(person: LiftedPerson) -> dict[str, Any]:
    return {
        "person": person.person,
        "frame": person.frame.tolist(),
        "time_s": _rounded(person.time_s, 6),
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
