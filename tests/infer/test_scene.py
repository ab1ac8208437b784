"""People in space: where they stand, how large they are, and what says so."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglift.datasets.sequence import AnnotatedSequence
from auglift.geometry.body_size import stature_m
from auglift.geometry.skeleton import H36M_17
from auglift.infer import InferredFile, InferResult
from auglift.lifting.spec import TargetConfig
from auglift.storage.pictures import write_picture

Read = Callable[[InferredFile], dict[str, Any]]
Run = Callable[..., InferResult]


def exif_segment(focal_mm: int) -> bytes:
    """An APP1 segment with FocalLengthIn35mmFilm, as a phone writes it (big-endian)."""
    inner = struct.pack(">HHHIHxxI", 1, 0xA405, 3, 1, focal_mm, 0)
    outer = struct.pack(">HHHIII", 1, 0x8769, 4, 1, 8 + 18, 0)
    body = b"Exif\0\0" + b"MM\0*" + struct.pack(">I", 8) + outer + inner
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


@pytest.mark.parametrize("way", ["depth", "reprojection"])
def test_people_stand_where_they_do(
    run: Run, film: Path, truth: AnnotatedSequence, standing: np.ndarray, way: str, read: Read
) -> None:
    fx, fy, cx, cy = truth.cameras[0].intrinsics[:4].tolist()
    intrinsics = (fx, fy, cx, cy)
    height_m = None if way == "depth" else stature_m(standing[None], H36M_17)
    (file,) = run(film, intrinsics=intrinsics, height_m=height_m, formats=("json",)).files
    document = read(file)
    (person,) = document["people"]
    assert "camera: intrinsics as given" in document["positions"]
    assert f"distance by {way}" in document["positions"]
    np.testing.assert_allclose(document["camera"]["intrinsics"][:4], intrinsics)
    true_root = truth.pose_3d[:, H36M_17.indices(*H36M_17.root)].mean(axis=1)
    error = np.linalg.norm(np.array(person["root_m"]) - true_root, axis=-1)
    assert error.max() < 0.08 * true_root[:, 2].mean()
    assert np.isfinite(np.array(person["uncertainty_m"], float)).all()


def test_a_height_fixes_the_size_and_a_wider_camera_brings_people_nearer(
    run: Run, film: Path, tmp_path: Path, read: Read
) -> None:
    def places(name: str, **options: Any) -> tuple[float, float, str]:
        """His stature and distance as the file has them."""
        (file,) = run(film, output=tmp_path / name, formats=("json",), **options).files
        document = read(file)
        (person,) = document["people"]
        stature = stature_m(np.array(person["pose_3d"]), H36M_17)
        return stature, float(np.array(person["root_m"])[:, 2].mean()), document["positions"]

    tall, far_m, how = places("tall", height_m=2.0, fov_deg=40.0)
    assert tall == pytest.approx(2.0, abs=0.01)
    assert "stature 2 m" in how
    assert "field of view 40° as given" in how
    small, near_m, _ = places("small", height_m=1.0, fov_deg=40.0)
    assert (small, near_m) == pytest.approx((1.0, far_m / 2), rel=0.02)
    _, wide_m, _ = places("wide", height_m=2.0, fov_deg=80.0)
    ratio = np.tan(np.radians(20)) / np.tan(np.radians(40))
    assert wide_m == pytest.approx(far_m * ratio, rel=0.1)


def test_the_world_has_the_axis_up_that_was_asked_for(run: Run, film: Path, read: Read) -> None:
    (file,) = run(film, up="z", formats=("json",)).files
    world = read(file)["world"]
    assert world["up"] == "z"
    up_camera = np.array(world["rotation"])[2]
    assert up_camera @ [0, -1, 0] > 0.8


def test_a_photo_says_how_wide_its_lens_sees(
    run: Run, tmp_path: Path, pictures: list[np.ndarray], read: Read
) -> None:
    path = tmp_path / "photo.jpg"
    write_picture(path, pictures[0])
    jpeg = path.read_bytes()
    path.write_bytes(jpeg[:2] + exif_segment(focal_mm=28) + jpeg[2:])
    document = read(run(path, formats=("json",)).files[0])
    assert "camera: 28 mm on 35 mm film (EXIF)" in document["positions"]
    height, width = pictures[0].shape[:2]
    focal_px = np.hypot(width, height) * 28 / np.hypot(36, 24)
    assert document["camera"]["intrinsics"][0] == pytest.approx(focal_px)


def test_a_lifter_without_metres_is_given_a_usual_stature(
    run: Run, tmp_path: Path, film: Path, save_standing: Callable[..., None], read: Read
) -> None:
    path, target = tmp_path / "image.safetensors", TargetConfig(convention="image")
    save_standing(path, "xyc", widths=(3,), target=target)
    file = run(film, checkpoint=str(path), formats=("json",)).files[0]
    document = read(file)
    assert "assumed stature 1.7 m" in document["positions"]
    (person,) = document["people"]
    assert stature_m(np.array(person["pose_3d"]), H36M_17) == pytest.approx(1.7, abs=0.01)


def test_smoothing_takes_the_tremble_away(run: Run, film: Path, tmp_path: Path, read: Read) -> None:
    def tremble(smooth: str) -> float:
        (file,) = run(film, smooth=smooth, output=tmp_path / smooth, formats=("json",)).files
        (person,) = read(file)["people"]
        return float(np.abs(np.diff(np.array(person["pose_3d"]), n=2, axis=0)).mean())

    assert tremble("butterworth") < 0.7 * tremble("none")
