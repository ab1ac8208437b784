"""A copy of 3DPW in its true formats, small and made up, with the traps of the real one."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from auglift.geometry.skeleton import SMPL_24
from auglift.storage.pictures import write_picture

N_FRAMES = 8

# A person who stands in the world (Y up), faces +Z, and lifts the right arm: no side is as the
# other, so that a swap is seen.
STANDING = {
    "pelvis": (0, 0.95, 0), "left_hip": (0.06, 0.87, 0), "right_hip": (-0.06, 0.87, 0),
    "spine1": (0, 1.05, 0), "left_knee": (0.1, 0.48, 0.02), "right_knee": (-0.1, 0.52, 0.2),
    "spine2": (0, 1.18, 0), "left_ankle": (0.1, 0.08, 0), "right_ankle": (-0.1, 0.12, 0.15),
    "spine3": (0, 1.24, 0), "left_foot": (0.11, 0.02, 0.12), "right_foot": (-0.11, 0.05, 0.3),
    "neck": (0, 1.45, 0), "left_collar": (0.08, 1.36, 0), "right_collar": (-0.08, 1.36, 0),
    "head": (0, 1.55, 0.03), "left_shoulder": (0.17, 1.38, 0),
    "right_shoulder": (-0.17, 1.38, 0), "left_elbow": (0.2, 1.1, 0),
    "right_elbow": (-0.4, 1.5, 0.1), "left_wrist": (0.22, 0.85, 0.03),
    "right_wrist": (-0.5, 1.75, 0.15), "left_hand": (0.23, 0.77, 0.05),
    "right_hand": (-0.52, 1.83, 0.17),
}  # fmt: skip


class Python2Pickler(pickle._Pickler):
    """Writes as Python 2 with numpy 1 did: text and buffers are byte strings."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def _byte_string(self, content: bytes) -> None:
        if len(content) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(content)]) + content)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)

    def save_bytes(self, value):
        self._byte_string(value)
        self.memoize(value)

    def save_str(self, value):
        self._byte_string(value.encode("latin1"))
        self.memoize(value)

    def save_global(self, value, name=None):
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{value.__name__}\n".encode())
        self.memoize(value)

    dispatch[bytes] = save_bytes
    dispatch[str] = save_str


def dump_as_python_2(content) -> bytes:
    """The bytes of a protocol-2 pickle of Python 2."""
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(content)
    return file.getvalue()


def camera_poses(n: int) -> np.ndarray:
    """World → camera: the phone is 4 m before the people, looks along −Z (Y up becomes y down) and
    walks a centimetre to its right with every frame."""
    poses = np.tile(np.eye(4), (n, 1, 1))
    poses[:, :3, :3] = np.diag([1.0, -1.0, -1.0])
    poses[:, :3, 3] = [0.0, 1.2, 4.0]
    poses[:, 0, 3] -= 0.01 * np.arange(n)
    return poses


def smpl_joints(n: int, shift=(0.0, 0.0, 0.0)) -> np.ndarray:
    """(n, 24, 3) world: the person walks towards +Z."""
    pose = np.array([STANDING[joint] for joint in SMPL_24.joints]) + shift
    return pose + np.arange(n)[:, None, None] * np.array([0.0, 0.0, 0.02])


def recording(name="courtyard_box_00", people=2, portrait=False, n=N_FRAMES) -> dict:
    """The dictionary of a sequence file, with every key of the real ones."""
    w, h = (1080, 1920) if portrait else (1920, 1080)
    intrinsics = np.array([[1960.0, 0, w / 2 - 3], [0, 1962.0, h / 2 + 5], [0, 0, 1]])
    poses2d = np.ones((n, 3, 18))
    return {
        "sequence": name,
        "betas": [np.zeros(300 if p else 10) for p in range(people)],
        "poses": [np.zeros((n, 72)) for _ in range(people)],
        "trans": [np.zeros((n, 3)) for _ in range(people)],
        "poses_60Hz": [np.zeros((2 * n, 72)) for _ in range(people)],
        "trans_60Hz": [np.zeros((2 * n, 3)) for _ in range(people)],
        "genders": ["m", "f"][:people],
        "v_template_clothed": [np.zeros((10, 3)) for _ in range(people)],
        "texture_maps": [np.zeros((2, 2, 3), np.uint8) for _ in range(people)],
        "poses2d": [poses2d.copy() for _ in range(people)],
        "jointPositions": [
            smpl_joints(n, (0.8 * p, 0, -0.3 * p)).reshape(n, 72) for p in range(people)
        ],
        "img_frame_ids": 2 * np.arange(n),
        "cam_poses": camera_poses(n),
        "campose_valid": [np.ones(n, dtype=int) for _ in range(people)],
        "cam_intrinsics": intrinsics,
    }


def write_recording(folder: Path, split: str, content: dict) -> Path:
    """A sequence file at its true place."""
    path = folder / "sequenceFiles" / split / f"{content['sequence']}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(dump_as_python_2(content))
    return path


def write_pictures(folder: Path, name: str, numbers, wh=(1920, 1080)) -> None:
    """Small files of the true size: one grey each."""
    target = folder / "imageFiles" / name
    target.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        write_picture(target / f"image_{number:05d}.jpg", np.full((wh[1], wh[0], 3), 90, np.uint8))


@pytest.fixture
def pw3d(tmp_path: Path) -> Path:
    """Two sequences: one of two people with each trap, and one upright."""
    folder = tmp_path / "3dpw_data"
    trapped = recording()
    trapped["campose_valid"][0][2] = 0
    trapped["poses2d"][0][4] = 0.0
    trapped["poses2d"][1][:, 2, 5:] = 0.0  # five points are left
    trapped["poses2d"][1][3:, 2, 5] = 0.4  # from frame 3 on six
    write_recording(folder, "train", trapped)
    write_pictures(folder, "courtyard_box_00", [0, 1, 2, 3, 4, 5, 6])  # one picture short
    upright = recording("downtown_walkBridge_01", people=1, portrait=True)
    write_recording(folder, "test", upright)
    return folder
