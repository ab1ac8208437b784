"""Motion in BVH files: a tree of joints, and per frame how each is turned and placed.

A BVH holds no unit: `unit_m` says how long one of its units is (usually a centimetre). Axes stay as
in the file (usually Y up). Two rules that the format leaves open:
* the order of the rotation channels is the order of multiplication, left to right:
  `Zrotation Xrotation Yrotation` is R = Rz·Rx·Ry;
* position channels, of the root or of any joint, replace its OFFSET, as Blender and the readers of
  LAFAN1 have it. (Files whose root has an OFFSET repeat it in the channels; adding the two, as
  some viewers do, would lift the person into the air.)
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from auglift.errors import BrokenFileError, DataError, MissingDataError
from auglift.storage import bvh_text
from auglift.storage.atomic import write_text
from auglift.storage.bvh_text import Node

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Bvh:
    """A tree of J joints and E end sites, and T frames of motion."""

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    """(J,): each before its children; −1 for the root, which comes first."""
    offsets_m: FloatArray
    """(J, 3): each joint in its parent's axes, at rest."""
    end_parents: tuple[int, ...]
    """(E,): the joints that carry an End Site."""
    end_offsets_m: FloatArray
    """(E, 3)."""
    channels: tuple[tuple[str, ...], ...]
    """(J,): the names of each joint's channels in the file's order."""
    rotations: FloatArray
    """(T, J, 3, 3): from each joint's axes to its parent's."""
    positions_m: FloatArray
    """(T, J, 3): each joint in its parent's axes; its offset unless position channels say more."""
    frame_time_s: float

    def __post_init__(self) -> None:
        n_joints, n_ends, n_frames = len(self.joints), len(self.end_parents), len(self.rotations)
        shapes = {
            "offsets_m": (n_joints, 3),
            "end_offsets_m": (n_ends, 3),
            "rotations": (n_frames, n_joints, 3, 3),
            "positions_m": (n_frames, n_joints, 3),
        }
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                found = np.shape(getattr(self, name))
                raise DataError(f"{name} of a BVH must have the shape {shape}, not {found}")
        if len(self.channels) != n_joints or not self._is_tree():
            raise DataError(f"parents or channels of a BVH do not fit its {n_joints} joints")

    @property
    def points(self) -> tuple[str, ...]:
        """The names of what `positions` returns: joints, then `<joint>_end` per end site."""
        return self.joints + tuple(f"{self.joints[i]}_end" for i in self.end_parents)

    def _is_tree(self) -> bool:
        return (
            self.parents[:1] == (-1,)
            and len(self.parents) == len(self.joints)
            and all(0 <= parent < i for i, parent in enumerate(self.parents[1:], start=1))
            and all(0 <= parent < len(self.joints) for parent in self.end_parents)
        )


def positions(bvh: Bvh, end_sites: bool = True) -> FloatArray:
    """Return where the points are in each frame, in metres and the file's axes: (T, J + E, 3).

    The end sites come after the joints (`Bvh.points`), or not at all.
    """
    axes = np.empty_like(bvh.rotations)
    places = np.empty_like(bvh.positions_m)
    for i, parent in enumerate(bvh.parents):
        rotation, position_m = bvh.rotations[:, i], bvh.positions_m[:, i]
        if parent < 0:
            axes[:, i], places[:, i] = rotation, position_m
        else:
            axes[:, i] = axes[:, parent] @ rotation
            places[:, i] = places[:, parent] + np.einsum("tij,tj->ti", axes[:, parent], position_m)
    if not end_sites:
        return places
    carriers = list(bvh.end_parents)
    ends = places[:, carriers] + np.einsum("teij,ej->tei", axes[:, carriers], bvh.end_offsets_m)
    return np.concatenate([places, ends], axis=1)


def read_bvh(path: Path, unit_m: float = 0.01) -> Bvh:
    """Read a BVH file whose unit of length is `unit_m` metres."""
    nodes, frame_time_s, motion = bvh_text.parse(_text(path), path)
    i_joints = [i for i, node in enumerate(nodes) if not node.is_end]
    joint_of = {i_node: i_joint for i_joint, i_node in enumerate(i_joints)} | {-1: -1}
    joints, ends = [nodes[i] for i in i_joints], [node for node in nodes if node.is_end]
    offsets_m = unit_m * np.array([node.offset for node in joints])
    rotations, positions_m = _decode(joints, offsets_m, motion, unit_m)
    return Bvh(
        joints=tuple(node.name for node in joints),
        parents=tuple(joint_of[node.parent] for node in joints),
        offsets_m=offsets_m,
        end_parents=tuple(joint_of[node.parent] for node in ends),
        end_offsets_m=unit_m * np.array([node.offset for node in ends]).reshape(-1, 3),
        channels=tuple(node.channels for node in joints),
        rotations=rotations,
        positions_m=positions_m,
        frame_time_s=frame_time_s,
    )


def write_bvh(path: Path, bvh: Bvh, unit_m: float = 0.01) -> None:
    """Write a BVH file in units of `unit_m` metres, with six decimals.

    Joints are written depth first, as the format wants them. A joint with one or two rotation
    channels gets all three; motion for which a joint has no channels is an error.
    """
    nodes: list[Node] = []
    columns: list[FloatArray] = []
    node_of = {-1: -1}
    for i_joint in _depth_first(bvh):
        channels = _whole_channels(bvh.channels[i_joint])
        node_of[i_joint] = len(nodes)
        parent = node_of[bvh.parents[i_joint]]
        offset = tuple(bvh.offsets_m[i_joint] / unit_m)
        nodes.append(Node(_name(bvh.joints[i_joint]), parent, False, offset, channels))
        columns.append(_encode(bvh, i_joint, channels, unit_m))
        for carrier, end_offset_m in zip(bvh.end_parents, bvh.end_offsets_m, strict=True):
            if carrier == i_joint:
                nodes.append(Node("", node_of[i_joint], True, tuple(end_offset_m / unit_m)))
    motion = np.concatenate(columns, axis=1)
    write_text(path, bvh_text.render(nodes, bvh.frame_time_s, motion))


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise MissingDataError("no such BVH file", where=path) from error
    except OSError as error:
        raise BrokenFileError(f"cannot be read: {error.strerror}", where=path) from error
    # Joint names may be in any old code page; nothing else leaves ASCII.
    return content.decode("utf-8-sig", errors="replace")


def _decode(
    joints: list[Node], offsets_m: FloatArray, motion: FloatArray, unit_m: float
) -> tuple[FloatArray, FloatArray]:
    """Turn the channels' numbers into rotations (T, J, 3, 3) and positions (T, J, 3)."""
    rotations = np.tile(np.eye(3), (len(motion), len(joints), 1, 1))
    positions_m = np.tile(offsets_m, (len(motion), 1, 1))
    start = 0
    for i_joint, node in enumerate(joints):
        values = motion[:, start : start + len(node.channels)]
        start += len(node.channels)
        for i_channel, axis in _position_axes(node.channels):
            positions_m[:, i_joint, axis] = unit_m * values[:, i_channel]
        order, turning = _rotation_order(node.channels)
        if order:
            turns = Rotation.from_euler(order, values[:, turning], degrees=True)
            rotations[:, i_joint] = turns.as_matrix()
    return rotations, positions_m


def _encode(bvh: Bvh, i_joint: int, channels: tuple[str, ...], unit_m: float) -> FloatArray:
    """Turn one joint's rotations and positions into its channels' numbers (T, channels)."""
    rotations, positions_m = bvh.rotations[:, i_joint], bvh.positions_m[:, i_joint]
    values = np.zeros((len(rotations), len(channels)))
    fixed = np.ones(3, bool)
    for i_channel, axis in _position_axes(channels):
        values[:, i_channel] = positions_m[:, axis] / unit_m
        fixed[axis] = False
    order, turning = _rotation_order(channels)
    if order:
        with warnings.catch_warnings():
            # At gimbal lock one of many equal triples is taken, which is all we need.
            warnings.filterwarnings("ignore", "Gimbal lock")
            turns: Any = Rotation.from_matrix(rotations)
            values[:, turning] = turns.as_euler(order, degrees=True)
    lost_m = np.abs(positions_m - bvh.offsets_m[i_joint])[:, fixed]
    if np.any(lost_m > 1e-6) or (not order and np.any(np.abs(rotations - np.eye(3)) > 1e-6)):
        raise DataError(f"joint '{bvh.joints[i_joint]}' moves, but has no channels for it")
    return values


def _position_axes(channels: tuple[str, ...]) -> list[tuple[int, int]]:
    """Pairs (i_channel, axis) of the position channels."""
    return [(i, "XYZ".index(name[0])) for i, name in enumerate(channels) if "position" in name]


def _rotation_order(channels: tuple[str, ...]) -> tuple[str, list[int]]:
    """The order of the axes, in capitals for scipy: about the turned ones; and their channels."""
    turning = [i for i, name in enumerate(channels) if "rotation" in name]
    return "".join(channels[i][0] for i in turning), turning


def _whole_channels(channels: tuple[str, ...]) -> tuple[str, ...]:
    order, _ = _rotation_order(channels)
    missing = [axis for axis in "XYZ" if axis not in order] if order else []
    return channels + tuple(f"{axis}rotation" for axis in missing)


def _depth_first(bvh: Bvh) -> list[int]:
    order: list[int] = []
    waiting = [0]
    while waiting:
        order.append(waiting.pop())
        children = [i for i, parent in enumerate(bvh.parents) if parent == order[-1]]
        waiting += reversed(children)
    return order


def _name(name: str) -> str:
    if not name.strip() or set(name) & set("{}\r\n"):
        raise DataError(f"{name!r} cannot be the name of a joint in a BVH file")
    return name
