"""Motions read from files: motion capture as npz, and BVH.

The npz format holds H36M-17 joints and the face in millimetres, world, Z up:

    poses (N, 17, 3), face5 (N, 5, 3)    all sequences one after the other
    seq_start (S + 1,)                   frame at which each sequence starts, and N
    fps, subject, action, split (S,)     per sequence; split is "train" or "test"
    joint_names (17,)                    as in `_JOINT_NAMES`

A BVH holds any skeleton; `BVH_JOINTS` says which of its joints is which of ours.

Out: `Motion`s with all 26 joints of the studio, in metres, Z up. Neither format holds heels, and
few BVH files hold a face: what is missing is estimated (`estimates.py`).
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import BrokenFileError, MissingDataError, SchemaError, unknown_name
from auglift.geometry.skeleton import H36M_17
from auglift.storage.bvh import positions, read_bvh
from auglift.studio.bodies import FACE, FEET, SIDES, STUDIO
from auglift.studio.estimates import ANKLE_SHARE, estimate_face, estimate_feet
from auglift.studio.motions import Motion

FloatArray = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[Any]]

_KEYS = ("poses", "face5", "seq_start", "fps", "subject", "action", "split", "joint_names")
_PER_SEQUENCE = ("fps", "subject", "action", "split")
_KINDS = {"poses": "f", "face5": "f", "fps": "fiu", "seq_start": "iu"}
# The format's own spelling of H36M-17, in the same order.
_JOINT_NAMES = (
    *("Pelvis", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "Spine", "Thorax"),
    *("NeckNose", "Head", "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist"),
)

BVH_JOINTS: dict[str, tuple[str, ...]] = {
    "spine": ("Spine1", "Spine"),
    "thorax": ("Neck",),
    "neck_base": ("Head",),
    "head": ("HeadTop_End", "Head_end"),
} | {
    f"{side}_{joint}": tuple(f"{side.capitalize()}{name}" for name in names)
    for side in SIDES
    for joint, names in {
        "hip": ("UpLeg",),
        "knee": ("Leg",),
        "ankle": ("Foot",),
        "toe": ("ToeBase",),
        "shoulder": ("Arm",),
        "elbow": ("ForeArm",),
        "wrist": ("Hand",),
    }.items()
}
"""For each joint of the studio the BVH joints that may stand for it, the best first.

The names are those of the CMU conversions, LAFAN1 and Mixamo (case and the prefix `mixamorig:` do
not matter); `<joint>_end` is the End Site of a joint. The pelvis is the middle of the hips, as in
Human3.6M, and not the root of the BVH, which lies higher. A BVH with our own names needs none of
this.
"""

_PREFIX = re.compile(r"^(mixamorig\d*:?|.*:)", re.IGNORECASE)
_LEG = {"thigh": ("left_hip", "left_knee"), "shank": ("left_knee", "left_ankle")}
_HUMAN_LEGS_M = (0.4, 1.3)


def read_mocap(path: Path) -> Iterator[Motion]:
    """The sequences of a motion-capture npz; the file is checked as a whole before the first."""
    arrays = _load(path)
    _check(arrays, path)
    return _sequences(arrays)


def read_bvh_motion(
    path: Path,
    joint_names: Mapping[str, str] | None = None,
    *,
    unit_m: float = 0.01,
    up: str = "y",
) -> Motion:
    """The motion of a BVH file, set on the ground by its lower ankle.

    `joint_names` says for joints of the studio which point of the BVH they are, before
    `BVH_JOINTS` does; `unit_m` is the length of the file's unit, `up` its vertical axis (y or z).
    """
    if up not in ("y", "z"):
        raise unknown_name("vertical axis", up, ("y", "z"))
    bvh = read_bvh(path, unit_m)
    points = np.asarray(positions(bvh), dtype=np.float64)
    if not len(points):
        raise BrokenFileError("a BVH without frames", where=path)
    if up == "y":
        points = np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)
    joints = {
        joint: points[:, i_point]
        for joint, i_point in _find_joints(bvh.points, joint_names or {}, path).items()
    }
    joints.setdefault("pelvis", 0.5 * (joints["left_hip"] + joints["right_hip"]))
    h36m = np.stack([joints[joint] for joint in H36M_17.joints], axis=1)
    ground = np.array([0.0, 0.0, _ground_m(h36m, path)])
    h36m -= ground
    everything = np.concatenate([h36m, estimate_face(h36m), estimate_feet(h36m)], axis=1)
    for joint in joints.keys() & {*FACE, *FEET}:
        everything[:, STUDIO.index(joint)] = joints[joint] - ground
    return Motion(path.stem, 1 / bvh.frame_time_s, everything)


def _find_joints(
    points: Sequence[str], joint_names: Mapping[str, str], path: Path
) -> dict[str, int]:
    """Which point of the BVH each joint of the studio is, as far as there is one."""
    for joint, point in joint_names.items():
        STUDIO.index(joint)
        if point not in points:
            raise unknown_name("point of the BVH", point, points)
    ours = set(H36M_17.joints) <= set(points)
    plain = {_PREFIX.sub("", point).lower(): i for i, point in enumerate(points)}
    found = {}
    for joint in STUDIO.joints:
        if joint in joint_names:
            found[joint] = points.index(joint_names[joint])
            continue
        names = (joint,) if ours else BVH_JOINTS.get(joint, ())
        hits = [plain[name.lower()] for name in names if name.lower() in plain]
        if hits:
            found[joint] = hits[0]
    missing = [joint for joint in H36M_17.joints if joint not in found and joint != "pelvis"]
    if missing:
        raise SchemaError(
            f"no joint of the BVH is known as {', '.join(missing)}",
            where=path,
            hint=f"say which they are by `joint_names`; the BVH has {', '.join(points)}",
        )
    return found


def _ground_m(h36m: FloatArray, path: Path) -> float:
    """Height of the ground: below the lowest ankle by what a flat foot needs."""
    bones = {part: np.diff(h36m[:, H36M_17.indices(*ends)], axis=1) for part, ends in _LEG.items()}
    thigh_m, shank_m = (float(np.median(np.linalg.norm(bone, axis=-1))) for bone in bones.values())
    shortest_m, longest_m = _HUMAN_LEGS_M
    if not shortest_m < thigh_m + shank_m < longest_m:
        raise SchemaError(
            f"legs of {thigh_m + shank_m:.3g} m are not human",
            where=path,
            hint="give the length of the file's unit as `unit_m` (0.01 for centimetres)",
        )
    ankles = h36m[:, H36M_17.indices("left_ankle", "right_ankle"), 2]
    return float(ankles.min()) - ANKLE_SHARE * shank_m


def _sequences(arrays: Arrays) -> Iterator[Motion]:
    bounds = arrays["seq_start"]
    for i_sequence, (start, end) in enumerate(pairwise(bounds)):
        poses = arrays["poses"][start:end].astype(np.float64) / 1000
        face = arrays["face5"][start:end].astype(np.float64) / 1000
        yield Motion(
            name=str(arrays["action"][i_sequence]),
            fps=float(arrays["fps"][i_sequence]),
            positions=np.concatenate([poses, face, estimate_feet(poses)], axis=1),
            subject=str(arrays["subject"][i_sequence]),
            split=str(arrays["split"][i_sequence]),
        )


def _load(path: Path) -> Arrays:
    """The arrays of the file. Pickled content is refused: it could run code."""
    if not path.is_file():
        raise MissingDataError("no such motion file", where=path)
    try:
        with path.open("rb") as file:  # numpy would leave a broken zip open
            stored = np.load(file, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise SchemaError("one array, where an npz of several is wanted", where=path)
            missing = [key for key in _KEYS if key not in stored.files]
            if missing:
                raise SchemaError(
                    f"not a motion-capture npz: no {', '.join(missing)}",
                    where=path,
                    hint=f"it must hold {', '.join(_KEYS)}; found {', '.join(stored.files)}",
                )
            return {key: stored[key] for key in _KEYS}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BrokenFileError(
            f"the motion file cannot be read: {error}",
            where=path,
            hint="it must be an npz of plain arrays, without Python objects",
        ) from error


def _check(arrays: Arrays, path: Path) -> None:
    """Shapes and kinds, order of the joints, bounds of the sequences, finite numbers."""
    n_frames, n_sequences = arrays["poses"].shape[:1], max(arrays["seq_start"].size - 1, 0)
    wanted = {"poses": (*n_frames, 17, 3), "face5": (*n_frames, 5, 3), "joint_names": (17,)}
    wanted |= {"seq_start": (n_sequences + 1,)} | dict.fromkeys(_PER_SEQUENCE, (n_sequences,))
    for key, shape in wanted.items():
        if arrays[key].shape != shape:
            raise SchemaError(f"{key} is {arrays[key].shape}, wanted {shape}", where=path)
    for key, kinds in _KINDS.items():
        if arrays[key].dtype.kind not in kinds:
            raise SchemaError(f"{key} holds {arrays[key].dtype}, wanted numbers", where=path)
        if not np.isfinite(arrays[key]).all():
            raise BrokenFileError(f"{key} holds values that are not finite", where=path)
    if tuple(map(str, arrays["joint_names"])) != _JOINT_NAMES:
        raise SchemaError(
            "joint_names are not H36M-17's", where=path, hint=f"wanted {', '.join(_JOINT_NAMES)}"
        )
    bounds = arrays["seq_start"]
    if bounds[0] != 0 or bounds[-1] != n_frames[0] or np.any(np.diff(bounds) < 1):
        raise SchemaError(f"seq_start does not cut {n_frames[0]} frames up", where=path)
    if np.any(arrays["fps"] <= 0):
        raise BrokenFileError("fps must be above 0", where=path)
