"""A moving skeleton for Blender and game engines: one BVH file per person.

In: `LiftedPeople`. Out: BVH in metres (Blender's importer takes a unit for a metre unless told
otherwise), Y up, facing +z at rest in a T pose. Bones have their median lengths, joints the turns
of `geometry/retarget_rotations.py`, in the order Z, X, Y. The format knows no gaps: joints cross
them on straight lines, and the log says how many frames that are.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from auglift.geometry.retarget_rotations import Rig, make_rig
from auglift.outputs.motion import Motion, motions, person_path
from auglift.outputs.people3d import LiftedPeople
from auglift.storage.bvh import Bvh, write_bvh

UNIT_M = 1.0

_TURNS = ("Zrotation", "Xrotation", "Yrotation")
_PLACE = ("Xposition", "Yposition", "Zposition")

# A joint at the end of the body needs an End Site to be seen at all: a stub of its own bone.
_STUB = 0.25
_LEAST_STUB_M = 0.02

logger = logging.getLogger(__name__)


def write_bvhs(path: Path, lifted: LiftedPeople) -> list[Path]:
    """Write one file per person with poses, named by `person_path`; return their paths."""
    written = []
    for motion in motions(lifted, up="y"):
        written.append(person_path(path, motion.person))
        n_gaps = int((~motion.is_known).sum())
        if n_gaps:
            logger.warning("%s: %d frames without a pose are straight lines", written[-1], n_gaps)
        write_bvh(written[-1], motion_to_bvh(motion.closed()), unit_m=UNIT_M)
    return written


def motion_to_bvh(motion: Motion) -> Bvh:
    """The rig and its turns; `motion` has no gaps."""
    rig = make_rig(motion.positions, motion.skeleton)
    n_frames, n_nodes = rig.rotations.shape[:2]
    places = np.tile(rig.offsets_m, (n_frames, 1, 1))
    places[:, 0] = motion.positions[:, rig.joint_nodes.index(0)]
    ends = [i for i in range(n_nodes) if i not in rig.parents]
    return Bvh(
        joints=rig.nodes,
        parents=rig.parents,
        offsets_m=rig.offsets_m,
        end_parents=tuple(ends),
        end_offsets_m=np.stack([_stub(rig, i) for i in ends]),
        channels=(_PLACE + _TURNS,) + (_TURNS,) * (n_nodes - 1),
        rotations=rig.rotations,
        positions_m=places,
        frame_time_s=1.0 / motion.rate_hz,
    )


def _stub(rig: Rig, node: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    length_m = max(_STUB * float(np.linalg.norm(rig.offsets_m[node])), _LEAST_STUB_M)
    return np.asarray(length_m * rig.bone_directions[node], np.float64)
