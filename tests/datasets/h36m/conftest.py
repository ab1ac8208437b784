"""A copy of Human3.6M in its true formats, small and made up, with the traps of the real one.

Everything is computed here by its own arithmetic (scipy's rotations, the lens formula written out),
from the dataset's published camera numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from xml.sax.saxutils import escape

import numpy as np
import pytest
from cdflib import cdfwrite
from scipy.spatial.transform import Rotation

from auglift.geometry.skeleton import H36M_32
from auglift.storage.video_writer import write_video
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.motions import make_motion

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
ALL_SUBJECTS = tuple(f"S{n}" for n in range(1, 12))
N_FRAMES = 12

NUMBERS = json.loads((Path(__file__).parents[2] / "golden" / "h36m_cameras.json").read_text())

# Action and subaction 2.1, 12.1, 13.1 and 2.2 of the dataset's table, as the files are spelled.
FILE_NAMES = {
    (2, 1): {"S1": "Directions 1", "S9": "Directions 1", "S11": "Directions 1"},
    (2, 2): {"S1": "Directions", "S9": "Directions", "S11": "Directions"},
    (12, 1): {"S1": "TakingPhoto 1", "S9": "Photo 1", "S11": "Photo 1"},
    (13, 1): {"S1": "Waiting 1", "S9": "Waiting 1", "S11": "Waiting 1"},
}


def rotation(subject: str, camera: str) -> np.ndarray:
    """World → camera."""
    quaternion = NUMBERS["places"][f"{subject}/{camera}"][:4]
    return Rotation.from_quat(quaternion, scalar_first=True).as_matrix()


def centre_mm(subject: str, camera: str) -> np.ndarray:
    return np.array(NUMBERS["places"][f"{subject}/{camera}"][4:])


def in_camera(world_mm: np.ndarray, subject: str, camera: str) -> np.ndarray:
    return (world_mm - centre_mm(subject, camera)) @ rotation(subject, camera).T


def projected(points: np.ndarray, camera: str) -> np.ndarray:
    """The dataset's own formula: the tangential terms once, not twice as in OpenCV."""
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = NUMBERS["lenses"][camera]
    x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
    r2 = x * x + y * y
    bend = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + p1 * y + p2 * x
    return np.stack([fx * (x * bend + p2 * r2) + cx, fy * (y * bend + p1 * r2) + cy], axis=-1)


def true_height(subject: str, camera: str) -> int:
    return 1002 if subject == "S7" or camera in (CAMERAS[0], CAMERAS[3]) else 1000


def walk_mm(subject: str, take: str, n_frames: int) -> np.ndarray:
    """Somebody walks with the left arm held up: 32 joints (T, 32, 3), Z up."""
    rng = np.random.default_rng([*f"{subject}{take}".encode()])
    motion = make_motion("walk", draw_body(rng), rng, n_frames / 50, 50.0).positions
    named = {joint: motion[:, i] for i, joint in enumerate(STUDIO.joints)}
    named["left_elbow"] = named["left_shoulder"] + (0.0, 0.05, 0.28)
    named["left_wrist"] = named["left_elbow"] + (0.05, 0.0, 0.25)
    # Four joints of the 32 stand where others are.
    named |= {"spine_base": named["pelvis"]}
    named |= {f"{side}_collar": named["thorax"] for side in ("left", "right")}
    joints = np.empty((n_frames, 32, 3))
    for i, joint in enumerate(H36M_32.joints):
        if joint not in named:  # fingers, feet: further out than the joint that they hang on
            parent = H36M_32.joints[H36M_32.parents[i]]
            named[joint] = named[parent] + (0.04, 0.03, -0.06)
        joints[:, i] = named[joint]
    return 1000.0 * joints


def write_cdf(path: Path, values: np.ndarray, name: str = "Pose") -> None:
    """(T, 96) or (T, 64) as the dataset has it: one record of the variable `Pose`, float32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = cdfwrite.CDF(path, cdf_spec={"Majority": "row_major", "Compressed": False}, delete=True)
    spec = {
        "Variable": name, "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True,
        "Dim_Sizes": list(values.shape), "Compress": 6,
    }  # fmt: skip
    file.write_var(spec, var_data=values[None].astype("f4"))
    file.close()


@dataclass
class Copy:
    """A folder that takes are added to."""

    cameras: ClassVar = CAMERAS
    numbers: ClassVar = NUMBERS
    rotation = staticmethod(rotation)
    centre_mm = staticmethod(centre_mm)
    walk_mm = staticmethod(walk_mm)
    write_cdf = staticmethod(write_cdf)

    root: Path
    videos: dict[tuple[int, int, int], bytes]
    """Contents by width, height and number of frames."""
    lengths: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(
        self,
        subject: str,
        file_name: str,
        *,
        n_frames: int = N_FRAMES,
        cameras: Iterable[str] = CAMERAS,
        kinds: Iterable[str] = ("D3_Positions_mono", "D3_Positions", "D2_Positions"),
        surplus: int | None = 1,
        poses: str = "{subject}/MyPoseFeatures/{kind}",
        footage: str = "{subject}/Videos",
    ) -> None:
        """One take: its files of each kind, and videos that many frames longer (None: none)."""
        world = walk_mm(subject, file_name, n_frames)
        self.lengths[subject, file_name] = n_frames
        folders = {kind: self.root / poses.format(subject=subject, kind=kind) for kind in kinds}
        for kind, folder in folders.items():
            if kind == "D3_Positions":
                write_cdf(folder / f"{file_name}.cdf", world.reshape(n_frames, -1))
                continue
            for camera in cameras:
                points = in_camera(world, subject, camera)
                if kind == "D2_Positions":
                    points = projected(points, camera)
                write_cdf(folder / f"{file_name}.{camera}.cdf", points.reshape(n_frames, -1))
        for camera in cameras if surplus is not None else ():
            path = self.root / footage.format(subject=subject) / f"{file_name}.{camera}.mp4"
            self.write_video(path, (1000, true_height(subject, camera)), n_frames + surplus)

    def write_video(self, path: Path, wh: tuple[int, int], n_frames: int) -> None:
        key = (*wh, n_frames)
        path.parent.mkdir(parents=True, exist_ok=True)
        if key not in self.videos:
            with write_video(path, 50.0, threads=1) as video:
                for _ in range(n_frames):
                    video.write(np.full((wh[1], wh[0], 3), 90, np.uint8))
            self.videos[key] = path.read_bytes()
        path.write_bytes(self.videos[key])

    @staticmethod
    def truth(
        subject: str, file_name: str, camera: str, n_frames: int = N_FRAMES
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the files say: camera axes (T, 32, 3) in metres, and pixels (T, 32, 2)."""
        points = in_camera(walk_mm(subject, file_name, n_frames), subject, camera)
        return points / 1000, projected(points, camera)

    def write_metadata(self, folder: str = "") -> Path:
        """`metadata.xml` in the shape of the dataset's own, for eleven subjects."""
        path = self.root / folder / "metadata.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(metadata_xml(self.lengths), encoding="utf-8")
        return path


def metadata_xml(lengths: dict[tuple[str, str], int]) -> str:
    """35 rows of names and sizes, 11 rows of lengths, 300 camera numbers."""
    header = ["Action", "subaction", *ALL_SUBJECTS]
    rows = [["1", str(i), *(["_ALL", "_ALL 1"][i - 1] for _ in ALL_SUBJECTS)] for i in (1, 2)]
    for action in range(2, 17):
        for sub in (1, 2):
            names = FILE_NAMES.get((action, sub), {})
            default = names.get("S9", f"Action{action} {sub}")
            names = [names.get(subject, default) for subject in ALL_SUBJECTS]
            rows.append([str(action), str(sub), *names])
    sizes = [
        "[" + ";".join(f"{true_height(subject, c)} 1000" for c in CAMERAS) + "]"
        for subject in ALL_SUBJECTS
    ]
    table = [header, *rows, ["", "", *("name" for _ in ALL_SUBJECTS)], ["", "", *sizes]]
    frames = []
    for i, subject in enumerate(ALL_SUBJECTS):
        counts = [lengths.get((subject, row[2 + i]), 5) for row in rows]
        frames.append(["", *(f"[{t + 1} {t + 3} {t + 2} {t + 1} {4 * t + 3}]" for t in counts)])
    return (
        "<metadata>"
        f"<mapping>{_trs(table)}</mapping><toffiles/>"
        f"<frames>{_trs(frames)}</frames><skel_angles/><skel_pos/>"
        "<train_subjects>[1 7 8 9 11]</train_subjects>"
        f"<w0>[{' '.join(repr(float(x)) for x in _w0())}]</w0>"
        "<dbcameras><index2id>"
        + "".join(f"<item>{camera}</item>" for camera in CAMERAS)
        + "</index2id></dbcameras></metadata>"
    )


def _trs(rows: list[list[str]]) -> str:
    return "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )


def _w0() -> list[float]:
    """Euler angles of Rx(a) Ry(b) Rz(c), which scipy calls XYZ; the centre in mm; the lenses."""
    numbers: list[float] = []
    for camera in CAMERAS:
        for subject in ALL_SUBJECTS:
            who = subject if f"{subject}/{camera}" in NUMBERS["places"] else "S1"
            angles = Rotation.from_matrix(rotation(who, camera)).as_euler("XYZ")
            numbers += [*angles, *centre_mm(who, camera)]
    for camera in CAMERAS:
        numbers += NUMBERS["lenses"][camera]
    return numbers


@pytest.fixture(scope="session")
def h36m_videos() -> dict[tuple[int, int, int], bytes]:
    return {}


@pytest.fixture
def copy(tmp_path: Path, h36m_videos: dict[tuple[int, int, int], bytes]) -> Copy:
    """An empty folder."""
    (tmp_path / "h36m_data").mkdir()
    return Copy(tmp_path / "h36m_data", h36m_videos)


@pytest.fixture(scope="session")
def whole(
    tmp_path_factory: pytest.TempPathFactory, h36m_videos: dict[tuple[int, int, int], bytes]
) -> Copy:
    """Three subjects with the traps of the real dataset; to be read only."""
    whole = Copy(tmp_path_factory.mktemp("h36m") / "h36m_data", h36m_videos)
    whole.add("S1", "Directions 1")
    whole.add("S1", "TakingPhoto 1", surplus=7)
    whole.add("S9", "Photo 1")
    whole.add("S9", "Waiting 1", surplus=N_FRAMES)  # annotated only halfway
    whole.add("S11", "Directions")
    (whole.root / "S11/Videos/Directions.54138969.mp4").unlink()
    whole.write_video(whole.root / "S1/Videos/_ALL.54138969.mp4", (1000, 1002), 13)
    return whole
