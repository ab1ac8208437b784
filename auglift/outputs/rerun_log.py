"""A recording for the viewer rerun (rerun.io): everybody's joints and bones over time.

In: `LiftedPeople`. Out: one `.rrd` in the world's axes with the timelines `time` (seconds of the
source) and `frame`; a person who is not there in a frame is cleared. Joints carry their expected
error as radius where it is known. Needs rerun-sdk 0.23 or newer (`RecordingStream.set_time`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.errors import MissingExtraError
from auglift.outputs.motion import world_positions
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.storage.atomic import replacing

_APPLICATION = "auglift"
_JOINT_RADIUS_M = 0.02
_BONE_RADIUS_M = 0.008


def write_rrd(path: Path, lifted: LiftedPeople) -> None:
    """Write the recording."""
    try:
        import rerun
    except ImportError as error:
        raise MissingExtraError(
            "recordings for rerun need its SDK", where=path, extra="view"
        ) from error
    with replacing(path) as temporary:
        recording = rerun.RecordingStream(_APPLICATION)
        recording.save(str(temporary))
        axes = {
            "y": rerun.ViewCoordinates.RIGHT_HAND_Y_UP,
            "z": rerun.ViewCoordinates.RIGHT_HAND_Z_UP,
        }
        recording.log("world", axes[lifted.world.up], static=True)
        for person in lifted.people:
            _log_person(rerun, recording, lifted, person)
        recording.flush()
        recording.disconnect()


def _log_person(rerun: Any, recording: Any, lifted: LiftedPeople, person: LiftedPerson) -> None:
    """One person's frames, and his disappearance after the last."""
    positions = world_positions(lifted, person, lifted.world.up)
    entity = f"world/person{person.person}"
    bones = np.array(lifted.skeleton.bones)
    radii = _radii(person)
    for i in range(len(person.frame)):
        _set_time(recording, int(person.frame[i]), float(person.time_s[i]))
        if not np.isfinite(positions[i]).all():
            recording.log(entity, rerun.Clear(recursive=True))
            continue
        joints = rerun.Points3D(
            positions[i], radii=radii[i], labels=lifted.skeleton.joints, show_labels=False
        )
        recording.log(f"{entity}/joints", joints)
        lines = rerun.LineStrips3D(positions[i][bones], radii=_BONE_RADIUS_M)
        recording.log(f"{entity}/bones", lines)
    if len(person.frame):
        _set_time(recording, int(person.frame[-1]) + 1, float(person.time_s[-1]) + 1 / lifted.fps)
        recording.log(entity, rerun.Clear(recursive=True))


def _set_time(recording: Any, frame: int, time_s: float) -> None:
    recording.set_time("frame", sequence=frame)
    recording.set_time("time", duration=time_s)


def _radii(person: LiftedPerson) -> npt.NDArray[np.floating[Any]]:
    """Radii (T, J) m: the expected error, or a usual size."""
    errors = person.rows()["uncertainty_m"]
    return np.where(np.isfinite(errors), errors, _JOINT_RADIUS_M)
