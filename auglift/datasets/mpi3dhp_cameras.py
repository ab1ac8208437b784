"""The cameras of 3DHP: `camera.calibration` of the training takes, two ways for the test set.

The text file holds, for each of 14 cameras, a `name` and below it `size`, `intrinsic` and
`extrinsic`, both 4×4 by rows: world → camera, millimetres, world +Y up. The lenses do not distort:
`radial 0`, and `annot2` is the linear projection of `annot3`.

The test set's pictures have no such file. What its read-me's calibration gives is `OFFICIAL`;
`fit` finds the camera that its annotations were made with.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from auglift.datasets.rotations import is_rotation
from auglift.errors import BrokenFileError, MissingDataError
from auglift.geometry.camera import Camera

FloatArray = npt.NDArray[np.float64]

STUDIO, OUTDOOR = (2048, 2048), (1920, 1080)
SIZES = {**dict.fromkeys(("TS1", "TS2", "TS3", "TS4"), STUDIO), "TS5": OUTDOOR, "TS6": OUTDOOR}
"""Picture sizes (width, height) of the test sequences."""


def read_calibration(path: Path, name: str) -> Camera:
    """The camera of that name, "0" to "13".

    Read by words: programs that cut the lines at fixed columns lose the last number where no blank
    ends the line.
    """
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise MissingDataError("no calibration", where=path, hint="fetch the take again") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _broken(path, str(error)) from error
    blocks: dict[str, dict[str, list[str]]] = {}
    block: dict[str, list[str]] = {}
    for word, *values in (line.split() for line in text.splitlines() if line.strip()):
        if word == "name":
            block = blocks.setdefault(" ".join(values), {})
        block[word] = values
    if name not in blocks:
        raise _broken(path, f"it names no camera {name}")
    return _camera(path, name, blocks[name])


def camera_of(sequence: str, choice: str, keypoints_px: FloatArray, pose_mm: FloatArray) -> Camera:
    """The camera of TS1 to TS6, `fitted` to its annotations (N, J, 2), (N, J, 3) or `official`."""
    outdoor = SIZES[sequence] == OUTDOOR
    if choice == "official":
        focal, centre = _OFFICIAL_INTRINSICS[outdoor]
    else:
        focal, centre = fit(keypoints_px, pose_mm)
    origin_mm, up, right = np.asarray(_PLACES[outdoor])
    rotation = np.stack([right, -up, np.cross(right, -up)])
    return Camera.from_centre(
        SIZES[sequence], focal, centre, rotation=rotation, centre=origin_mm / 1000
    )


def fit(keypoints_px: FloatArray, pose: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Focal lengths and centre (2,), (2,) that project `pose` (N, J, 3) best: least squares.

    Only the ratios of `pose` count, so its unit is free.
    """
    seen = np.isfinite(keypoints_px).all(axis=-1) & np.isfinite(pose).all(axis=-1)
    points, (x, y, z) = keypoints_px[seen & (pose[..., 2] > 0)], pose[seen & (pose[..., 2] > 0)].T
    axes = []
    for slope, pixel in ((x / z, points[:, 0]), (y / z, points[:, 1])):
        solution, _, rank, _ = np.linalg.lstsq(np.stack([slope, np.ones_like(slope)], 1), pixel)
        if rank < 2:
            raise BrokenFileError("too few annotated joints to fit a camera to")
        axes.append(solution)
    focal, centre = np.transpose(axes)
    return focal, centre


# From `test_util/camera_calibration/*.calib`: focal length f, sensor width w and offsets o in mm
# give fx = f·W/w, fy = fx·aspect, cx = W/2 + ox·W/w (the aspect does not touch the offset). The
# outdoor file also names a distortion, which the annotations do not follow.
_OFFICIAL_INTRINSICS = {
    False: (np.array([1500.17, 1500.83]), np.array([1017.387, 1043.03])),
    True: (np.array([1683.98, 1672.59]), np.array([939.858, 560.14])),
}
# Where it stands (mm, world +Y up), what is up in its picture, and what is right.
_PLACES = {
    False: (
        (3427.28, 1387.86, 309.42),
        (-0.208215, 0.976233, 0.06014),
        (0.000575281, 0.0616098, -0.9981),
    ),
    True: (
        (-2104.3074, 1038.6707, -4596.6367),
        (0.025272345, 0.995038509, 0.096227370),
        (-0.939647257, -0.009210289, 0.342020929),
    ),
}


def _camera(path: Path, name: str, values: dict[str, list[str]]) -> Camera:
    width, height = _numbers(path, name, values, "size", 2)
    k = _numbers(path, name, values, "intrinsic", 16).reshape(4, 4)
    world_to_camera = _numbers(path, name, values, "extrinsic", 16).reshape(4, 4)
    rotation = world_to_camera[:3, :3]
    if not is_rotation(rotation):
        raise _broken(path, f"camera {name}: its extrinsic matrix holds no rotation")
    return Camera(
        image_wh=(int(width), int(height)),
        focal_px=k[[0, 1], [0, 1]],
        centre_px=k[:2, 2],
        rotation=rotation,
        translation=world_to_camera[:3, 3] / 1000,
    )


def _numbers(path: Path, name: str, values: dict[str, list[str]], word: str, n: int) -> FloatArray:
    found = values.get(word, [])
    try:
        numbers = np.array([float(value) for value in found])
    except ValueError as error:
        raise _broken(path, f"camera {name}, {word}: {error}") from error
    if len(numbers) != n or not np.isfinite(numbers).all():
        raise _broken(path, f"camera {name}: {len(numbers)} numbers of {n} in '{word}'")
    return numbers


def _broken(path: Path, what: str) -> BrokenFileError:
    return BrokenFileError(
        f"not a calibration of cameras: {what}", where=path, hint="fetch the take again"
    )
