"""Joints by the names that users gave them, as DeepLabCut and SLEAP let them.

In: names in any spelling, such as `LeftKnee`, `knee_l`, `RHip`. Out: a joint set all of whose
joints are named, and where each of them stands among the names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from auglift.datasets.keypoints.json_values import listed
from auglift.errors import DataError
from auglift.geometry.skeleton import COCO_17, H36M_17, SKELETONS, Skeleton

_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_PAIRED = {name.removeprefix("left_") for name in COCO_17.joints if name.startswith("left_")}
_SYNONYMS = {"root": "pelvis"}

# Between a small letter or digit and a capital, and before the last capital of several: RKnee.
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def joints_named(names: Sequence[str], at: str) -> tuple[str, list[int]]:
    """The joint set's name, and the place of each of its joints among the names.

    The set with just these joints, else COCO's or Human3.6M's where all of them are among the
    names.
    """
    plain = [plain_name(name) for name in names]
    for skeleton in SKELETONS.values():
        if sorted(plain) == sorted(skeleton.joints):
            return skeleton.name, _places(skeleton, plain)
    for skeleton in (COCO_17, H36M_17):
        if set(skeleton.joints) <= set(plain):
            return skeleton.name, _places(skeleton, plain)
    nearest = min(COCO_17, H36M_17, key=lambda one: len(set(one.joints) - set(plain)))
    missing = [joint for joint in nearest.joints if joint not in plain]
    raise DataError(
        f"{at} are no joint set known here: {listed(names)}",
        hint=f"of {nearest.name} these are missing: {', '.join(missing)}",
    )


def plain_name(name: str) -> str:
    """A joint's name as joint sets here have it: LeftKnee, knee_l and LKnee are left_knee."""
    words = [word for word in re.split(r"[^a-z0-9]+", _HUMP.sub("_", name).lower()) if word]
    sides = [_SIDES[word] for word in words if word in _SIDES]
    rest = "_".join(word for word in words if word not in _SIDES)
    if not sides:
        for start, side in sorted(_SIDES.items(), key=lambda item: -len(item[0])):
            if rest.startswith(start) and rest.removeprefix(start) in _PAIRED:
                return f"{side}_{rest.removeprefix(start)}"
    rest = _SYNONYMS.get(rest, rest)
    return f"{sides[0]}_{rest}" if sides else rest


def _places(skeleton: Skeleton, names: Sequence[str]) -> list[int]:
    return [names.index(joint) for joint in skeleton.joints]
