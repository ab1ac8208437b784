"""How high a person's feet are over the ground, and when they stand on it.

In: a person with places, and the world that knows its ground. Out: by name (T,), NaN where unknown.

    left_foot_height_m      the left ankle over the ground, less its height over the floor in
                            standing: near 0 on a flat foot, more on the toes and in the air
    left_foot_contact       1 where that is less than `CONTACT_M`, else 0
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.angles import SIDES
from auglift.geometry.ground import ANKLE_HEIGHT_M
from auglift.outputs.people3d import LiftedPeople, LiftedPerson

FloatArray = npt.NDArray[np.floating[Any]]

CONTACT_M = 0.06
"""An ankle's height trembles by about 3 cm (`geometry/ground.py`): twice that is in the air."""


def foot_measures(person: LiftedPerson, lifted: LiftedPeople) -> dict[str, FloatArray]:
    """Heights and contacts of both feet."""
    measures: dict[str, FloatArray] = {}
    for side in SIDES:
        height_m = _ankle_height_m(person, lifted, f"{side}_ankle") - ANKLE_HEIGHT_M
        contact = np.where(np.isfinite(height_m), height_m < CONTACT_M, np.nan)
        measures[f"{side}_foot_height_m"] = height_m
        measures[f"{side}_foot_contact"] = contact
    return measures


def _ankle_height_m(person: LiftedPerson, lifted: LiftedPeople, ankle: str) -> FloatArray:
    """(T,) over the ground; NaN where the person has no place, or the world no ground."""
    world = lifted.world.turned("y")
    if person.root_m is None or not world.translation.any():
        return np.full(len(person.frame), np.nan)
    ankles = person.pose_3d[:, lifted.skeleton.index(ankle)] + person.root_m
    height_m: FloatArray = world.from_camera(ankles)[:, 1]
    return height_m
