"""From joint positions to a rig: a rest pose, bones of constant length, and a turn per bone.

In:  positions (T, J, 3) m of any skeleton, Y up, all finite.
Out: a `Rig`: a tree of N nodes with offsets at rest, and local rotations (T, N, 3, 3).

At rest the figure stands with its arms stretched out to the sides (a T pose), facing +z, its left
at +x. Bones have their median length over the clip. A joint with one child is turned by the
smallest rotation, in its parent's axes, that points its bone at the child: nothing is known of the
twist about the bone, so there is none. A joint with several children (pelvis, thorax) is turned so
that all its bones fit best; what is left, because hips and shoulders are not rigid to the spine, is
the turn of a further node of no length in each bone, as motion capture files have it (LHipJoint).
So every joint stands where it was, up to the changes of its bones' lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.geometry.body_size import bone_lengths
from auglift.geometry.skeleton import NO_PARENT, Skeleton

FloatArray = npt.NDArray[np.floating[Any]]

# Where joints stand in a T pose: (to the left, up, to the front), for the left side and the middle.
_AT_REST = {
    "pelvis": (0.0, 0.95, 0.0), "spine_base": (0.0, 0.96, 0.0), "spine": (0.0, 1.1, 0.0),
    "spine1": (0.0, 1.05, 0.0), "spine2": (0.0, 1.2, 0.0), "spine3": (0.0, 1.3, 0.0),
    "spine4": (0.0, 1.4, 0.0), "thorax": (0.0, 1.45, 0.0), "neck": (0.0, 1.47, 0.0),
    "upper_neck": (0.0, 1.52, 0.0), "head_bottom": (0.0, 1.5, 0.0), "neck_base": (0.0, 1.57, 0.0),
    "head": (0.0, 1.65, 0.0), "head_top": (0.0, 1.72, 0.0), "nose": (0.0, 1.6, 0.1),
    "eye": (0.03, 1.63, 0.08), "ear": (0.07, 1.6, 0.0),
    "hip": (0.1, 0.95, 0.0), "knee": (0.1, 0.53, 0.0), "ankle": (0.1, 0.09, 0.0),
    "heel": (0.1, 0.03, -0.04), "foot": (0.1, 0.03, 0.13), "toe": (0.1, 0.03, 0.19),
    "big_toe": (0.09, 0.03, 0.19), "small_toe": (0.14, 0.03, 0.15),
    "collar": (0.05, 1.45, 0.0), "shoulder": (0.18, 1.45, 0.0), "elbow": (0.46, 1.45, 0.0),
    "wrist": (0.71, 1.45, 0.0), "hand": (0.78, 1.45, 0.0), "finger": (0.88, 1.45, 0.0),
    "thumb_base": (0.74, 1.45, 0.03), "thumb": (0.78, 1.45, 0.05),
}  # fmt: skip
_OF_A_HAND = ("hand", "finger", "thumb")

# A joint whose bones lie on one line can turn about it freely: this much holds it to its parent.
_HOLD = 1e-6

_SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Rig:
    """A tree of N nodes, each before its children, and its motion."""

    nodes: tuple[str, ...]
    parents: tuple[int, ...]
    offsets_m: FloatArray
    """(N, 3): each node in its parent's axes; the first is the root."""
    rotations: FloatArray
    """(T, N, 3, 3): from each node's axes to its parent's."""
    joint_nodes: tuple[int, ...]
    """(J,): the node of each joint of the skeleton."""
    bone_directions: FloatArray
    """(N, 3): the unit direction from the parent to the node at rest; up at the root."""


def make_rig(positions: FloatArray, skeleton: Skeleton) -> Rig:
    """Turn positions (T, J, 3) into bones and turns."""
    positions = np.asarray(positions, np.float64)
    lengths_m = np.median(bone_lengths(positions, skeleton), axis=0)
    builder = _Builder(positions, skeleton, rest_directions(skeleton), lengths_m)
    builder.add(skeleton.parents.index(NO_PARENT), -1, np.zeros(3))
    return builder.rig()


def rest_directions(skeleton: Skeleton) -> FloatArray:
    """Unit directions (J, 3) of the bones that end in each joint, in a T pose; up at the root."""
    directions: FloatArray = np.tile([0.0, 1.0, 0.0], (skeleton.n_joints, 1))
    for parent, child in skeleton.bones:
        bone = _bone_at_rest(skeleton.joints[parent], skeleton.joints[child])
        if (length := np.linalg.norm(bone)) > _SMALLEST:
            directions[child] = bone / length
    return directions


class _Builder:
    """Adds the nodes from the root outwards, and turns each as it comes."""

    def __init__(
        self,
        positions: FloatArray,
        skeleton: Skeleton,
        directions: FloatArray,
        lengths_m: FloatArray,
    ) -> None:
        self._positions = positions
        self._skeleton = skeleton
        self._directions = directions
        self._lengths_m = lengths_m
        self._names: list[str] = []
        self._parents: list[int] = []
        self._offsets: list[FloatArray] = []
        self._bones: list[FloatArray] = []
        self._local: list[FloatArray] = []
        self._axes: list[FloatArray] = []
        self._node_of: dict[int, int] = {}

    def add(self, joint: int, parent_node: int, offset_m: FloatArray) -> None:
        """Add a joint at `offset_m` from its parent's node, and all that hangs on it."""
        children = [i for i, p in enumerate(self._skeleton.parents) if p == joint]
        name, bone = self._skeleton.joints[joint], self._directions[joint]
        node = self._append(name, parent_node, offset_m, bone, joint, children)
        self._node_of[joint] = node
        for child in children:
            carrier = node
            if len(children) > 1:
                name = f"{self._skeleton.joints[joint]}_to_{self._skeleton.joints[child]}"
                bone = self._directions[child]
                carrier = self._append(name, node, np.zeros(3), bone, joint, [child])
            self.add(child, carrier, self._lengths_m[child] * self._directions[child])

    def rig(self) -> Rig:
        """The finished rig."""
        return Rig(
            nodes=tuple(self._names),
            parents=tuple(self._parents),
            offsets_m=np.array(self._offsets),
            rotations=np.stack(self._local, axis=1),
            joint_nodes=tuple(self._node_of[i] for i in range(self._skeleton.n_joints)),
            bone_directions=np.array(self._bones),
        )

    def _append(
        self,
        name: str,
        parent: int,
        offset_m: FloatArray,
        bone: FloatArray,
        joint: int,
        children: list[int],
    ) -> int:
        """Add a node, turned so that the bones from `joint` to `children` fit; return its index."""
        n_frames = len(self._positions)
        above = self._axes[parent] if parent >= 0 else np.tile(np.eye(3), (n_frames, 1, 1))
        local = self._turn(above, joint, children)
        self._names.append(name)
        self._parents.append(parent)
        self._offsets.append(offset_m)
        self._bones.append(bone)
        self._local.append(local)
        self._axes.append(above @ local)
        return len(self._names) - 1

    def _turn(self, above: FloatArray, joint: int, children: list[int]) -> FloatArray:
        bones = self._positions[:, children] - self._positions[:, [joint]]
        seen = _unit(bones) @ above  # in the parent's axes: rows times the matrix are its transpose
        if len(children) == 1:
            return shortest_turn(self._directions[children[0]], seen[:, 0])
        return _best_turn(self._directions[children], seen)


def shortest_turn(start: FloatArray, ends: FloatArray) -> FloatArray:
    """The smallest rotations (T, 3, 3) that take the unit vector `start` (3,) to `ends` (T, 3).

    Ends of no length give no turn; an end just opposite is reached about an axis square to `start`.
    """
    halfway = start + ends
    squared = (halfway**2).sum(axis=-1)
    known = (ends**2).sum(axis=-1) > 0.5
    opposite = squared < _SMALLEST**2
    # Two reflections, at the plane square to start and at the one square to halfway, are the turn.
    mirror = np.where(opposite[:, None], _square_to(start), halfway)
    mirror = mirror / np.linalg.norm(
        np.where(known[:, None], mirror, start), axis=-1, keepdims=True
    )
    first = np.eye(3) - 2.0 * np.outer(start, start)
    second = np.eye(3) - 2.0 * mirror[:, :, None] * mirror[:, None, :]
    turns = np.where(opposite[:, None, None], -second, second @ first)
    return np.where(known[:, None, None], turns, np.eye(3))


def _best_turn(start: FloatArray, ends: FloatArray) -> FloatArray:
    """The rotations (T, 3, 3) that bring the vectors `start` (K, 3) nearest to `ends` (T, K, 3)."""
    covariance = np.einsum("tki,kj->tij", ends, start) + _HOLD * np.eye(3)
    u, _, vt = np.linalg.svd(covariance)
    u[..., 2] *= np.sign(np.linalg.det(u @ vt))[:, None]  # never mirrored
    turns: FloatArray = u @ vt
    return turns


def _square_to(vector: FloatArray) -> FloatArray:
    """A unit vector square to another."""
    least = np.eye(3)[np.abs(vector).argmin()]
    square: FloatArray = np.cross(vector, least)
    square /= np.linalg.norm(square)
    return square


def _unit(vectors: FloatArray) -> FloatArray:
    """Unit vectors; zero for one without a length."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: FloatArray = np.zeros_like(vectors)
    np.divide(vectors, length, out=unit, where=length > _SMALLEST)
    return unit


def _bone_at_rest(parent: str, child: str) -> FloatArray:
    """From parent to child in a T pose, of any length; none for joints in one place."""
    start, end = _at_rest(parent), _at_rest(child)
    if start is not None and end is not None:
        return end - start
    if any(word in child for word in _OF_A_HAND):
        return np.array([1.0 if child.startswith("left") else -1.0, 0.0, 0.0])
    return np.array([0.0, 0.0, 1.0])  # a face's joints


def _at_rest(joint: str) -> FloatArray | None:
    """Where a joint stands in a T pose, None for those of faces and fingers."""
    side, _, part = joint.partition("_")
    if side not in ("left", "right"):
        return None if joint not in _AT_REST else np.array(_AT_REST[joint])
    if part not in _AT_REST:
        return None
    return np.array(_AT_REST[part]) * (1.0 if side == "left" else -1.0, 1.0, 1.0)
