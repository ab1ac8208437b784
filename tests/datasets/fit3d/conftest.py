"""Writes Fit3D as it is downloaded: JSON and mp4, folder by folder.

Nothing of the data set itself: the person, the cameras and the videos are made up.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest

# Metres, standing at the origin, facing +x, left +y, up +z; asymmetric: the right leg steps
# forwards, the left hand is raised. In the order of the files: the left leg first.
BODY_25 = {
    "pelvis": (0, 0, 0.95),
    "lhip": (0, 0.1, 0.93), "lknee": (-0.10, 0.11, 0.52), "lankle": (-0.28, 0.11, 0.16),
    "rhip": (0, -0.1, 0.93), "rknee": (0.20, -0.11, 0.53), "rankle": (0.25, -0.11, 0.10),
    "spine": (0, 0, 1.20), "thorax": (0, 0, 1.47), "nose": (0.09, 0, 1.62),
    "head_top": (0.03, 0, 1.75),
    "lsho": (0, 0.18, 1.45), "lelb": (0.05, 0.25, 1.70), "lwri": (0.10, 0.25, 1.95),
    "rsho": (0, -0.18, 1.45), "relb": (-0.08, -0.22, 1.18), "rwri": (-0.02, -0.25, 0.95),
    "lfoot": (-0.16, 0.11, 0.06), "ltoe": (-0.10, 0.11, 0.04),
    "rfoot": (0.38, -0.11, 0.04), "rtoe": (0.45, -0.11, 0.03),
    "lthumb": (0.15, 0.23, 2.00), "lfinger": (0.12, 0.26, 2.05),
    "rthumb": (0.02, -0.23, 0.88), "rfinger": (0, -0.26, 0.84),
}  # fmt: skip

CAMERAS = ("50591643", "58860488", "60457274", "65906101")
PLACES = {
    "50591643": (4.0, 1.75, 1.5),
    "58860488": (-4.0, -1.75, 1.6),
    "60457274": (-4.1, 1.7, 1.4),
    "65906101": (3.9, -1.8, 1.5),
}

N_FRAMES = 20


def walk(n_frames: int, names: list[str] | None = None, rate_hz: float = 50.0) -> np.ndarray:
    """World joints (T, J, 3) m: half a metre per second forwards."""
    body = np.array([BODY_25[name] for name in names or BODY_25], float)
    return body + np.arange(n_frames)[:, None, None] / rate_hz * np.array([0.5, 0.0, 0.0])


def camera_parameters(camera: str) -> dict[str, Any]:
    """What a file holds; R is world → camera, T the camera's place."""
    place = np.array(PLACES[camera])
    forwards = np.array([0.0, 0.0, 0.95]) - place
    forwards /= np.linalg.norm(forwards)
    right = np.cross(forwards, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    shift = CAMERAS.index(camera)
    return {
        "extrinsics": {
            "R": np.stack([right, np.cross(forwards, right), forwards]).tolist(),
            "T": [place.tolist()],
        },
        "intrinsics_w_distortion": {
            "f": [[1040.0 + shift, 1043.0 + shift]],
            "c": [[448.0 + shift, 471.0 - shift]],
            "k": [[-0.197, 0.06, 0.01]],
            "p": [[-0.0016, 0.0035]],
        },
        "intrinsics_wo_distortion": {"c": [450.0, 470.0], "f": [1031.0, 1034.0]},
    }


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_joints(path: Path, joints: np.ndarray) -> None:
    write_json(path, {"joints3d_25": joints.tolist()})


def write_mp4(path: Path, n_frames: int, size: int = 900) -> None:
    """50 Hz; frame n is grey of 10·n."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=50, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
        for i in range(n_frames):
            picture = np.full((size, size, 3), 10 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))


def write_subject(folder: Path, actions: tuple[str, ...], suffixes: dict[str, str]) -> None:
    """A subject of the train folder; one more frame of video than of joints."""
    first: Path | None = None
    for action in actions:
        write_joints(folder / f"joints3d_25/{action}.json", walk(N_FRAMES))
        for camera in CAMERAS:
            name = camera + suffixes.get(camera, "")
            write_json(
                folder / f"camera_parameters/{name}/{action}.json", camera_parameters(camera)
            )
            video = folder / f"videos/{name}/{action}.mp4"
            if first is None:
                write_mp4(first := video, N_FRAMES + 1)
            else:
                video.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(first, video)
    write_json(folder / "rep_ann.json", {action: [0, 9, N_FRAMES] for action in actions})


def write_dataset(folder: Path) -> None:
    """Two subjects with truth, two actions; one without truth; what else lies about."""
    write_subject(folder / "fit3d/train/s03", ("squat", "warmup_1"), {})
    shutil.copytree(folder / "fit3d/train/s03", folder / "fit3d/train/s10")
    shutil.copytree(folder / "fit3d/train/s03/videos/50591643", folder / "fit3d/test/s02/videos")
    write_json(
        folder / "fit3d/test/s02/camera_parameters/squat.json", camera_parameters("50591643")
    )
    write_json(folder / "fit3d/fit3d_info.json", {"train_subj_names": ["s03", "s10"]})


@pytest.fixture(scope="session")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit3d") / "fit3d_data"
    write_dataset(folder)
    return folder


@pytest.fixture
def whole(_whole: Path) -> Path:
    """s03 and s10 with truth, s02 without; to be read only."""
    return _whole


@pytest.fixture
def mine(_whole: Path, tmp_path: Path) -> Path:
    """s03 and s10, to break."""
    shutil.copytree(_whole / "fit3d/train", tmp_path / "fit3d_data")
    return tmp_path / "fit3d_data"


@pytest.fixture
def writers() -> ModuleType:
    """This file: the writers and what they wrote."""
    return sys.modules[__name__]


@pytest.fixture
def squat(mine):
    """The files of one camera of one take."""
    folder = mine / "s03"
    return {
        "joints": folder / "joints3d_25/squat.json",
        "camera": folder / "camera_parameters/50591643/squat.json",
        "video": folder / "videos/50591643/squat.mp4",
    }
