"""Fit3D's two kinds of JSON file, read and checked; its pictures are 900x900.

    joints3d_25/<action>.json              {"joints3d_25": [[[x, y, z] × 25] × T]}   m, world, +Z up
    camera_parameters/<cam>/<action>.json  {"extrinsics": {"R": [[3×3]], "T": [[x, y, z]]},
                                            "intrinsics_w_distortion": {"f": [[fx, fy]],
                                                "c": [[cx, cy]], "k": [[k1, k2, k3]],
                                                "p": [[p1, p2]]}, …}

R turns world into camera, T is where the camera stands: X_cam = R (X − T). The lens formula is
Human3.6M's. `intrinsics_wo_distortion` belongs to pictures that nobody has: the videos are as the
cameras took them.
"""

from __future__ import annotations

import functools
import json
import logging
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from auglift.datasets.footage import Footage
from auglift.datasets.rotations import is_rotation
from auglift.errors import BrokenFileError, MissingDataError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import FIT3D_25

FloatArray = npt.NDArray[np.float64]

IMAGE_WH = (900, 900)
# Older releases of the sister data set CHI3D have joints at 200 Hz beside videos at 50 Hz.
MOCAP_STEPS = 4

_AGAIN = "fetch the file again"

logger = logging.getLogger(__name__)


def read_joints(path: Path) -> FloatArray:
    """World joints (T, 25, 3) m of one take; the four cameras share them, so the last one stays."""
    try:
        status = path.stat()
    except OSError as error:
        raise MissingDataError("no joints of this take", where=path, hint=_AGAIN) from error
    return _read_joints(path, (status.st_mtime_ns, status.st_size))


def at_video_rate(joints: FloatArray, footage: Footage) -> FloatArray:
    """The joints (T, 25, 3) at 50 Hz: every fourth, if there are about four for each picture."""
    if footage.n_frames is None or len(joints) <= (MOCAP_STEPS - 0.5) * footage.n_frames:
        return joints
    logger.info("%s: joints at 200 Hz, of which every fourth is taken", footage.path)
    return joints[::MOCAP_STEPS]


def read_camera(path: Path) -> Camera:
    """The camera of one take: every recording was calibrated anew."""
    content = _read_json(path)
    shapes = {"f": (2,), "c": (2,), "k": (3,), "p": (2,)}
    try:
        lens, place = content["intrinsics_w_distortion"], content["extrinsics"]
        # Lists of one list, where `intrinsics_wo_distortion` has plain ones.
        f, c, k, p = (_numbers(lens[name], shape) for name, shape in shapes.items())
        rotation, centre = _numbers(place["R"], (3, 3)), _numbers(place["T"], (3,))
        if not is_rotation(rotation):
            raise ValueError("R is no rotation")
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(path, "the parameters of a camera", error) from error
    return Camera.from_centre(IMAGE_WH, f, c, k, p, "h36m", rotation=rotation, centre=centre)


@functools.lru_cache(maxsize=1)
def _read_joints(path: Path, stamp: tuple[int, int]) -> FloatArray:
    content = _read_json(path)
    try:
        joints = np.asarray(content["joints3d_25"], np.float64)
        if joints.ndim != 3 or joints.shape[1:] != (FIT3D_25.n_joints, 3):
            raise ValueError(f"joints of shape {joints.shape}, not (T, {FIT3D_25.n_joints}, 3)")
        if not np.isfinite(joints).all():
            raise ValueError("a number is infinite")
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(path, "the joints of a take", error) from error
    joints.flags.writeable = False
    return joints


def _numbers(values: Any, shape: tuple[int, ...]) -> FloatArray:
    numbers = np.asarray(values, np.float64)
    if numbers.shape not in (shape, (1, *shape)) or not np.isfinite(numbers).all():
        raise ValueError(f"{numbers.shape} where finite {shape} are expected")
    return numbers.reshape(shape)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes(), parse_constant=_refuse)
        if not isinstance(content, dict):
            raise ValueError("no object")
    except FileNotFoundError as error:
        raise MissingDataError("no such file", where=path, hint=_AGAIN) from error
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(path, "JSON", error) from error
    return content


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"a number is {constant}")


def _broken(path: Path, what: str, error: Exception) -> BrokenFileError:
    why = f"no {error}" if isinstance(error, KeyError) else str(error)
    return BrokenFileError(f"not readable as {what}: {why}", where=path, hint=_AGAIN)
