"""Writes MPI-INF-3DHP as it is downloaded: MATLAB v5 and v7.3, calibration text, avi, jpg.

Nothing of the data set itself: the person, the cameras and the pictures are made up.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import av
import cv2
import h5py
import numpy as np
import pytest
import scipy.io

# fmt: off
JOINTS_28 = [
    "spine3", "spine4", "spine2", "spine", "pelvis", "neck", "head", "head_top",
    "lclavicle", "lshoulder", "lelbow", "lwrist", "lhand",
    "rclavicle", "rshoulder", "relbow", "rwrist", "rhand",
    "lhip", "lknee", "lankle", "lfoot", "ltoe", "rhip", "rknee", "rankle", "rfoot", "rtoe",
]
JOINTS_17 = [
    "head_top", "neck", "rshoulder", "relbow", "rwrist", "lshoulder", "lelbow", "lwrist",
    "rhip", "rknee", "rankle", "lhip", "lknee", "lankle", "pelvis", "spine", "head",
]
# fmt: on

# Metres, standing at the origin, facing +x, left +y, up +z; asymmetric: the right leg steps
# forwards, the left hand is raised.
BODY = {
    "pelvis": (0, 0, 0.95), "spine": (0, 0, 1.07), "spine2": (0, 0, 1.19), "spine3": (0, 0, 1.31),
    "spine4": (0, 0, 1.40), "neck": (0, 0, 1.50), "head": (0.05, 0, 1.60),
    "head_top": (0.03, 0, 1.75),
    "lclavicle": (0, 0.03, 1.45), "lshoulder": (0, 0.18, 1.45), "lelbow": (0.05, 0.25, 1.70),
    "lwrist": (0.10, 0.25, 1.95), "lhand": (0.12, 0.25, 2.03),
    "rclavicle": (0, -0.03, 1.45), "rshoulder": (0, -0.18, 1.45), "relbow": (-0.08, -0.22, 1.18),
    "rwrist": (-0.02, -0.25, 0.95), "rhand": (0, -0.25, 0.87),
    "lhip": (0, 0.1, 0.93), "lknee": (-0.10, 0.11, 0.52), "lankle": (-0.28, 0.11, 0.16),
    "lfoot": (-0.16, 0.11, 0.06), "ltoe": (-0.10, 0.11, 0.04),
    "rhip": (0, -0.1, 0.93), "rknee": (0.20, -0.11, 0.53), "rankle": (0.25, -0.11, 0.10),
    "rfoot": (0.38, -0.11, 0.04), "rtoe": (0.45, -0.11, 0.03),
}  # fmt: skip

# The data set's world has +Y up: body (forwards, left, up) → world (x, up, −left).
TO_WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def walk(joints: list[str], n_frames: int) -> np.ndarray:
    """World joints (T, J, 3) mm, +Y up: two centimetres forwards in every frame."""
    body = np.array([BODY[joint] for joint in joints], float)
    steps = np.arange(n_frames)[:, None, None] * np.array([0.02, 0.0, 0.0])
    return (body + steps) @ TO_WORLD.T * 1000


@dataclass(frozen=True)
class MadeUpCamera:
    """World → camera, mm; a linear lens."""

    rotation: np.ndarray
    translation: np.ndarray
    focal: tuple[float, float]
    centre: tuple[float, float]

    @classmethod
    def around(cls, i_camera: int) -> MadeUpCamera:
        """One of 14 that stand in a circle of 4 m and look at the walker's hips."""
        angle = 2 * np.pi * i_camera / 14 + 0.3
        place = np.array([4000 * np.cos(angle), 1400.0, 4000 * np.sin(angle)])
        forwards = np.array([0.0, 950.0, 0.0]) - place
        forwards /= np.linalg.norm(forwards)
        right = np.cross(forwards, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forwards, right), forwards])
        return cls(
            rotation, -rotation @ place, (1497.5 + i_camera, 1496.5 + i_camera), (1024, 1051)
        )

    def to_camera(self, world: np.ndarray) -> np.ndarray:
        return world @ self.rotation.T + self.translation

    def project(self, points: np.ndarray) -> np.ndarray:
        return points[..., :2] / points[..., 2:] * self.focal + self.centre

    def text(self, name: int) -> list[str]:
        """Seven lines, with the blank that ends the two of the matrices."""
        intrinsic = np.eye(4)
        intrinsic[[0, 1], [0, 1]] = self.focal
        intrinsic[:2, 2] = self.centre
        extrinsic = np.eye(4)
        extrinsic[:3, :3], extrinsic[:3, 3] = self.rotation, self.translation
        return [
            f"name          {name}",
            "  sensor      10 10",
            "  size        2048 2048",
            "  animated    0",
            "  intrinsic   " + "".join(f"{value:.10g} " for value in intrinsic.ravel()),
            "  extrinsic   " + "".join(f"{value:.10g} " for value in extrinsic.ravel()),
            "  radial      0",
        ]


CAMERAS = [MadeUpCamera.around(i) for i in range(14)]


def write_calibration(path: Path) -> None:
    lines = ["Skeletool Camera Calibration File V1.0"]
    lines += [line for i, camera in enumerate(CAMERAS) for line in camera.text(i)]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def universal(points: np.ndarray, joints: list[str]) -> np.ndarray:
    """The pose (T, J, 3) of another height in the same place: it does not project to the 2D."""
    pelvis = points[:, [joints.index("pelvis")]]
    return pelvis + 0.8 * (points - pelvis)


def write_annot_mat(path: Path, n_frames: int) -> None:
    """Cells (14, 1); 2D is off by up to two pixels at the hips and the spine, as it is there."""
    cells = {name: np.empty((14, 1), object) for name in ("annot2", "annot3", "univ_annot3")}
    world = walk(JOINTS_28, n_frames)
    for i, camera in enumerate(CAMERAS):
        points = camera.to_camera(world)
        pixels = camera.project(points)
        pixels[:, [JOINTS_28.index(joint) for joint in ("lhip", "rhip", "spine")], 1] += 1.5
        cells["annot2"][i, 0] = pixels.reshape(n_frames, 56)
        cells["annot3"][i, 0] = points.reshape(n_frames, 84)
        cells["univ_annot3"][i, 0] = universal(points, JOINTS_28).reshape(n_frames, 84)
    scipy.io.savemat(
        path,
        {
            **cells,
            "cameras": np.arange(14, dtype=np.uint8)[None],
            "frames": np.arange(n_frames)[:, None],
        },
    )


def write_avi(path: Path, n_frames: int, wh: tuple[int, int] = (2048, 2048)) -> None:
    """Frame n is grey of 10·n."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = *wh, "yuv420p"
        for i in range(n_frames):
            picture = np.full((wh[1], wh[0], 3), 10 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))


def write_pictures(folder: Path, n_frames: int, wh: tuple[int, int], name: str) -> None:
    """`name` holds the number, from 1; picture of frame n is grey of 10·n."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n_frames):
        cv2.imwrite(str(folder / name.format(i + 1)), np.full((wh[1], wh[0]), 10 * i, np.uint8))


def write_take(folder: Path, n_rows: int = 8, n_pictures: int = 6, cameras=range(9)) -> None:
    """`folder` is S?/Seq?; the annotations go on after the end of the videos."""
    folder.mkdir(parents=True)
    write_annot_mat(folder / "annot.mat", n_rows)
    write_calibration(folder / "camera.calibration")
    videos = [folder / f"imageSequence/video_{i}.avi" for i in cameras]
    for i, video in enumerate(videos):
        if i == 0:
            write_avi(video, n_pictures)
        else:
            shutil.copy(videos[0], video)


def write_annot_data(
    path: Path, n_frames: int, valid: list[int], camera: MadeUpCamera, user_block: bool = True
) -> None:
    """MATLAB v7.3: HDF5 behind 512 bytes of header, axes turned round, a table of references."""
    path.parent.mkdir(parents=True, exist_ok=True)
    points = camera.to_camera(walk(JOINTS_17, n_frames))[:, None]
    pixels = camera.project(points)
    pixels[0] = np.nan  # nobody vouches for a frame that is not valid
    is_valid = np.isin(np.arange(n_frames), valid).astype(float)[:, None]
    arrays = {
        "annot2": pixels,
        "annot3": points,
        "univ_annot3": universal(points[:, 0], JOINTS_17)[:, None],
        "valid_frame": is_valid,
        "activity_annotation": np.full((n_frames, 1), 3.0),
    }
    with h5py.File(path, "w", userblock_size=512 if user_block else 0) as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array).attrs["MATLAB_class"] = np.bytes_("double")
        crops = file.create_dataset("bb_crop", (34, n_frames), h5py.ref_dtype)
        crops[0, 0] = file["annot2"].ref
    with path.open("r+b") as file:
        text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 ."
        file.write(text.ljust(116) + bytes(8) + b"\x00\x02IM")


def write_test_sequence(
    folder: Path, n_frames: int = 6, valid: tuple[int, ...] = (1, 2, 3, 5)
) -> None:
    """`folder` is TS1 to TS6."""
    wh = (1920, 1080) if folder.name in ("TS5", "TS6") else (2048, 2048)
    camera = MadeUpCamera.around(8)
    write_annot_data(folder / "annot_data.mat", n_frames, list(valid), camera)
    write_pictures(folder / "imageSequence", n_frames, wh, "img_{:06d}.jpg")


@pytest.fixture(scope="session")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("3dhp") / "data"
    write_take(folder / "S1/Seq2")
    shutil.copytree(folder / "S1/Seq2", folder / "S6/Seq1")
    write_test_sequence(folder / "mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set/TS1")
    write_test_sequence(folder / "mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set/TS5")
    return folder


@pytest.fixture
def whole(_whole: Path) -> Path:
    """Two training takes of nine videos, TS1 and TS5; to be read only."""
    return _whole


@pytest.fixture
def mine(_whole: Path, tmp_path: Path) -> Path:
    """S1/Seq2 and TS5, to break."""
    for part in ("S1/Seq2", "mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set/TS5"):
        shutil.copytree(_whole / part, tmp_path / "data" / part)
    return tmp_path / "data"


@pytest.fixture
def writers() -> ModuleType:
    """This file: the writers and what they wrote."""
    return sys.modules[__name__]
