"""From pictures, videos and keypoints to files, on a filmed virtual person and a random lifter."""

from __future__ import annotations

import json
import logging
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import auglift
from auglift.cli.main import app
from auglift.config import load_config, models_zoo_folder
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence
from auglift.datasets.virtual import list_sequences, read_sequence
from auglift.detection import zoo_detector
from auglift.detection.default_models import REAL, VIRTUAL
from auglift.detection.depth import DepthEstimator
from auglift.detection.detector import Detector
from auglift.detection.people import PersonDetector
from auglift.detection.poses2d import PoseEstimator2d
from auglift.detection.zoo_detector import OpenedDetector
from auglift.errors import (
    BrokenFileError,
    ConfigError,
    DataError,
    MissingDataError,
    PartlyDoneError,
    UsageError,
)
from auglift.geometry.body_size import stature_m
from auglift.geometry.skeleton import H36M_17
from auglift.infer import InferConfig, InferredFile, InferResult, infer, infer_online
from auglift.lifting.checkpoint import save_lifter
from auglift.lifting.data import load_pose_data
from auglift.lifting.lifter import Lifter
from auglift.lifting.models import build_model
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig
from auglift.storage.onnx_session import open_model
from auglift.storage.pictures import read_picture, write_picture
from auglift.storage.tables import read_table
from auglift.storage.video import read_video
from auglift.storage.video_writer import write_video
from auglift.storage.workspace import Workspace
from auglift.studio.capture import CapturePlan, capture_take, plan_takes, write_dataset_file

FPS = 25.0
N_FRAMES = 6

MODELS = {
    f"{role}_model": str(models_zoo_folder() / "virtual" / f"virtual_{role}.onnx")
    for role in ("person", "pose", "depth")
}


@pytest.fixture(scope="module")
def standing(world: Path) -> np.ndarray:
    """(17, 3) the first pose of the person who is filmed, about its root."""
    pose = truth_of(world).pose_3d[0]
    return pose - pose[list(H36M_17.indices(*H36M_17.root))].mean(axis=0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, standing: np.ndarray) -> Path:
    """A workspace with a run that needs depth, `casp`, and one that does not, `xyc`.

    Both say: somebody stands like this, more or less.
    """
    folder = tmp_path_factory.mktemp("workspace")
    for variant in ("xyc", "casp"):
        features = FeatureConfig(variant=variant)
        model = {
            "n_joints": 17, "in_channels": len(features.channels), "widths": (3, 3), "channels": 16,
        }  # fmt: skip
        data = {"tables": [["virtual", 10]]}
        spec = LifterSpec(arch="tcn", model=model, features=features, data=data)
        torch.manual_seed(0)
        path = folder / "work_dirs" / variant / "best_model.safetensors"
        save_lifter(path, about(standing, build_model("tcn", **model)), spec)
    return folder


def about(pose: np.ndarray, model: LifterModel) -> LifterModel:
    """The network with answers about this pose (J, 3)."""
    with torch.no_grad():
        model.shrink.weight.mul_(0.1)
        model.shrink.bias.copy_(torch.from_numpy(pose.ravel()))
    return model


def truth_of(world: Path) -> AnnotatedSequence:
    (sequence,) = list_sequences(world, DatasetOptions())
    return read_sequence(world, sequence, 1, DatasetOptions())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual dataset of one person who walks through the street."""
    folder = tmp_path_factory.mktemp("world")
    plan = CapturePlan(
        scene="street",
        subjects={"S1": "test"},
        actions=("walk",),
        seconds=N_FRAMES / FPS,
        rate_hz=FPS,
        size=0.12,
        seed=5,
    )
    write_dataset_file(folder, plan)
    for take in plan_takes(plan):
        capture_take(folder, plan, take)
    return folder


@pytest.fixture(scope="module")
def film(world: Path) -> Path:
    return next(world.rglob("*.mkv"))


@pytest.fixture(scope="module")
def pictures(film: Path) -> list[np.ndarray]:
    return [frame.picture for frame in read_video(film)]


@pytest.fixture(scope="module")
def opened() -> OpenedDetector:
    """The virtual world's networks; the depth at a fraction of its size, for speed."""
    people, poses, depth = (open_model(Path(path), "cpu") for path in MODELS.values())
    detector = Detector(
        PersonDetector(people), PoseEstimator2d(poses), DepthEstimator(depth, target_px=126)
    )
    return OpenedDetector(detector, {}, ("CPUExecutionProvider",))


Run = Callable[..., InferResult]


@pytest.fixture
def run(root: Path, tmp_path: Path, opened: OpenedDetector) -> Run:
    """Infer into `tmp_path/out` with the networks opened once for all tests."""

    def run(*inputs: Path, **options: Any) -> InferResult:
        usual: dict[str, Any] = {
            "root": root, "output": tmp_path / "out", "checkpoint": "casp", "device": "cpu",
        }  # fmt: skip
        return infer(InferConfig(inputs=inputs, **{**usual, **options}), detector=opened)

    return run


def results(file: InferredFile) -> dict[str, Path]:
    return {path.suffix: path for path in file.results}


def read(file: InferredFile) -> dict[str, Any]:
    return json.loads(results(file)[".json"].read_text(encoding="utf-8"))


def exif_segment(focal_mm: int) -> bytes:
    """An APP1 segment with FocalLengthIn35mmFilm, as a phone writes it (big-endian)."""
    inner = struct.pack(">HHHIHxxI", 1, 0xA405, 3, 1, focal_mm, 0)
    outer = struct.pack(">HHHIII", 1, 0x8769, 4, 1, 8 + 18, 0)
    body = b"Exif\0\0" + b"MM\0*" + struct.pack(">I", 8) + outer + inner
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def write_folder(folder: Path, pictures: list[np.ndarray]) -> Path:
    for i, picture in enumerate(pictures):
        write_picture(folder / f"{i}.png", picture)
    return folder


# ---------------------------------------------------------------------------------- a video


def test_a_video_becomes_json_npz_and_an_overlay_that_agree(run: Run, film: Path) -> None:
    (file,) = run(film).files
    assert (file.frames, file.people, file.poses, file.faults) == (N_FRAMES, 1, N_FRAMES, ())
    assert file.written == file.results
    document = read(file)
    (person,) = document["people"]
    assert person["frame"] == list(range(N_FRAMES))
    assert person["detected"] == [True] * N_FRAMES
    assert document["fps"] == FPS
    assert document["lifter"] == "casp/best_model.safetensors"
    source_times = [frame.time_s for frame in read_video(film)]
    np.testing.assert_allclose(person["time_s"], source_times, atol=1e-6)
    with np.load(results(file)[".npz"]) as npz:
        np.testing.assert_allclose(npz["pose_3d"], person["pose_3d"], atol=1e-5)
    overlay = list(read_video(results(file)[".mp4"]))
    np.testing.assert_allclose([frame.time_s for frame in overlay], source_times, atol=1e-3)
    width, height = document["image_wh"]
    assert overlay[0].picture.shape[0] - height in (0, 1)  # H.264 has even sizes only
    assert overlay[0].picture.shape[1] >= width + height // 2


def test_the_keypoints_sit_on_the_person(run: Run, film: Path, world: Path) -> None:
    truth = truth_of(world).keypoints_2d
    (person,) = read(run(film).files[0])["people"]
    limbs = H36M_17.indices("left_knee", "right_knee", "left_elbow", "right_elbow", "thorax")
    errors = np.linalg.norm(np.array(person["joints_2d"]) - truth, axis=-1)[:, limbs]
    sure = np.array(person["confidence"])[:, limbs] > 0.7
    person_height = np.ptp(truth[..., 1], axis=1).mean()
    assert sure.mean() > 0.5
    assert np.median(errors[sure]) < 0.03 * person_height


def test_poses_are_those_of_the_lifter_on_the_same_detections(
    run: Run, root: Path, film: Path, pictures: list[np.ndarray], opened: OpenedDetector
) -> None:
    found = opened.detector.detect(pictures)
    columns = {
        name: np.concatenate([one.columns()[name] for one in found])
        for name in ("joints_2d", "joint_confidence", "depth_m", "depth_valid")
    }
    height, width = pictures[0].shape[:2]
    columns["image_wh"] = np.tile([width, height], (N_FRAMES, 1)).astype(np.int32)
    columns["detected"] = np.ones(N_FRAMES, bool)
    data = load_pose_data(columns, np.array([0, N_FRAMES]), np.array([FPS]))
    lifter = Lifter.open(root / "work_dirs/casp/best_model.safetensors")
    (person,) = read(run(film, smooth="none").files[0])["people"]
    # Placing gives all poses of a clip one size, and changes nothing else.
    placed, lifted = np.array(person["pose_3d"]), lifter.lift(data)
    sizes = [np.linalg.norm(poses, axis=(1, 2), keepdims=True) for poses in (placed, lifted)]
    np.testing.assert_allclose(placed / sizes[0], lifted / sizes[1], atol=1e-4)
    assert np.median(sizes[0] / sizes[1]) == pytest.approx(1.0, abs=0.01)


def test_a_variable_frame_rate_is_kept(
    run: Run, tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    times_s = np.cumsum([0, 0.03, 0.05, 0.04, 0.09, 0.02])
    with write_video(tmp_path / "phone.mp4", FPS, crf=1) as video:
        for picture, time_s in zip(pictures, times_s, strict=True):
            video.write(picture, float(time_s))
    (file,) = run(tmp_path / "phone.mp4").files
    np.testing.assert_allclose(read(file)["people"][0]["time_s"], times_s, atol=1e-4)
    overlay_times = [frame.time_s for frame in read_video(results(file)[".mp4"])]
    np.testing.assert_allclose(overlay_times, times_s, atol=1e-4)


def test_a_truncated_video_gives_what_can_be_read_and_says_so(
    run: Run, tmp_path: Path, pictures: list[np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "torn.mp4"
    with write_video(path, FPS) as video:
        for picture in pictures * 3:
            video.write(picture)
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    with caplog.at_level(logging.WARNING):
        (file,) = run(path).files
    assert 0 < file.frames < 3 * N_FRAMES
    assert len(file.faults) == 1
    assert f"lifted the {file.frames} frames that can be read" in caplog.text
    assert len(list(read_video(results(file)[".mp4"]))) == file.frames


def test_a_video_of_one_frame(run: Run, tmp_path: Path, pictures: list[np.ndarray]) -> None:
    with write_video(tmp_path / "one.mp4", FPS, crf=1) as video:
        video.write(pictures[0])
    (file,) = run(tmp_path / "one.mp4").files
    assert (file.frames, file.people, file.poses) == (1, 1, 1)


def test_nobody_in_sight_is_a_result_without_people(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with write_video(tmp_path / "empty.mp4", FPS) as video:
        for _ in range(3):
            video.write(np.zeros((120, 80, 3), np.uint8))
    with caplog.at_level(logging.WARNING):
        (file,) = run(tmp_path / "empty.mp4").files
    assert (file.frames, file.people, file.poses) == (3, 0, 0)
    assert read(file)["people"] == []
    with np.load(results(file)[".npz"]) as npz:
        assert npz["pose_3d"].shape == (0, 17, 3)
    assert len(list(read_video(results(file)[".mp4"]))) == 3
    assert "nobody was found" in caplog.text


# ---------------------------------------------------------------------------------- pictures


def test_a_picture_becomes_a_picture(run: Run, tmp_path: Path, pictures: list[np.ndarray]) -> None:
    write_picture(tmp_path / "shot.png", pictures[0])
    (file,) = run(tmp_path / "shot.png").files
    (person,) = read(file)["people"]
    assert (person["frame"], person["time_s"]) == ([0], [0.0])
    assert np.isfinite(np.array(person["pose_3d"], float)).all()
    height, width = pictures[0].shape[:2]
    assert read_picture(results(file)[".png"]).shape == (height, width + height // 2, 3)


def test_a_picture_of_one_pixel(run: Run, tmp_path: Path) -> None:
    write_picture(tmp_path / "dot.png", np.full((1, 1, 3), 9, np.uint8))
    (file,) = run(tmp_path / "dot.png").files
    assert (file.people, read(file)["image_wh"]) == (0, [1, 1])


def test_a_folder_is_one_clip_and_a_broken_picture_is_bridged(
    run: Run, tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    folder = write_folder(tmp_path / "shots", pictures)
    (folder / "3.png").write_bytes(b"torn")
    (file,) = run(folder, fps=50.0).files
    assert file.frames == N_FRAMES - 1
    assert len(file.faults) == 1
    document = read(file)
    (person,) = document["people"]
    assert document["fps"] == 50.0
    np.testing.assert_allclose(person["time_s"], np.arange(N_FRAMES) / 50.0, atol=1e-6)
    assert person["detected"] == [i != 3 for i in range(N_FRAMES)]
    joints = np.array(person["joints_2d"])
    np.testing.assert_allclose(joints[3], (joints[2] + joints[4]) / 2, atol=0.02)
    assert np.isfinite(np.array(person["pose_3d"], float)).all()


def test_a_folder_of_several_sizes_is_refused(
    run: Run, tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    folder = write_folder(tmp_path / "shots", [pictures[0], pictures[1][:-2]])
    with pytest.raises(DataError, match="picture 1 is"):
        run(folder)
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------------------------- keypoints


@pytest.fixture
def keypoint_file(
    tmp_path: Path, pictures: list[np.ndarray], opened: OpenedDetector
) -> tuple[Path, tuple[int, int]]:
    """The detector's own keypoints as MMPose's inferencer would write them, and the size."""
    path = tmp_path / "results_film.json"
    frames = []
    for i, found in enumerate(opened.detector.detect(pictures)):
        instances = [
            {"keypoints": points.tolist(), "keypoint_scores": scores.tolist(),
             "bbox": [box.tolist()], "bbox_score": float(score)}
            for points, scores, box, score in zip(
                found.keypoints_2d, found.confidence, found.box_xyxy, found.box_score, strict=True
            )
        ]  # fmt: skip
        frames.append({"frame_id": i, "instances": instances})
    path.write_text(json.dumps(frames), encoding="utf-8")
    height, width = pictures[0].shape[:2]
    return path, (width, height)


def test_keypoints_give_the_poses_that_their_video_gives(
    run: Run, film: Path, keypoint_file: tuple[Path, tuple[int, int]]
) -> None:
    path, image_wh = keypoint_file
    from_film, from_keypoints = run(film, path, checkpoint="xyc", image_wh=image_wh, fps=FPS).files
    assert set(results(from_keypoints)) == {".json", ".npz", ".html"}
    (one,), (other,) = read(from_film)["people"], read(from_keypoints)["people"]
    assert one["frame"] == other["frame"]
    for name in ("joints_2d", "confidence", "time_s", "pose_3d"):
        np.testing.assert_allclose(one[name], other[name], atol=0.02)


def test_a_lifter_that_needs_depth_names_the_choice(
    run: Run, keypoint_file: tuple[Path, tuple[int, int]]
) -> None:
    path, image_wh = keypoint_file
    with pytest.raises(UsageError, match=r"casp/.* was trained with depth \(casp\)") as caught:
        run(path, image_wh=image_wh)
    assert "work_dirs/xyc/" in caught.value.hint


def test_without_a_name_keypoints_get_the_newest_run_that_fits(
    run: Run, keypoint_file: tuple[Path, tuple[int, int]], caplog: pytest.LogCaptureFixture
) -> None:
    path, image_wh = keypoint_file
    with caplog.at_level(logging.INFO):
        (file,) = run(path, image_wh=image_wh, checkpoint=None).files
    assert read(file)["lifter"] == "xyc/best_model.safetensors"
    assert "casp/best_model.safetensors is passed over: it was trained with depth" in caplog.text


def test_keypoints_without_a_size_ask_for_it(
    run: Run, keypoint_file: tuple[Path, tuple[int, int]]
) -> None:
    with pytest.raises(DataError, match="how large the pictures are") as caught:
        run(keypoint_file[0], checkpoint="xyc")
    assert "--image-wh" in caught.value.hint


def test_keypoints_need_no_networks(
    root: Path, tmp_path: Path, keypoint_file: tuple[Path, tuple[int, int]]
) -> None:
    path, image_wh = keypoint_file
    config = InferConfig(
        inputs=(path,), root=root, checkpoint="xyc", image_wh=image_wh, person_model="nowhere.onnx"
    )
    (file,) = infer(config).files
    assert {path.parent for path in file.results} == {tmp_path}  # beside the input
    assert file.poses == N_FRAMES


def test_a_frame_that_the_file_leaves_out_is_bridged(
    run: Run, keypoint_file: tuple[Path, tuple[int, int]]
) -> None:
    path, image_wh = keypoint_file
    frames = json.loads(path.read_text())
    path.write_text(json.dumps([*frames[:4], *frames[5:]]))
    (file,) = run(path, checkpoint="xyc", image_wh=image_wh).files
    (person,) = read(file)["people"]
    assert person["frame"] == list(range(N_FRAMES))
    assert person["detected"] == [i != 4 for i in range(N_FRAMES)]


def test_a_gap_is_bridged_or_left_empty_or_parts_two_people(
    run: Run, tmp_path: Path, keypoint_file: tuple[Path, tuple[int, int]]
) -> None:
    path, image_wh = keypoint_file
    frames = json.loads(path.read_text())[:4]
    for frame, number in zip(frames, (0, 1, 7, 8), strict=True):
        frame["frame_id"] = number
    path.write_text(json.dumps(frames))
    usual: dict[str, Any] = {"checkpoint": "xyc", "image_wh": image_wh, "formats": ("json",)}
    (bridged,) = run(path, max_gap_s=6 / FPS, **usual).files
    (one,) = read(bridged)["people"]
    assert one["frame"] == list(range(9))
    assert bridged.poses == 9
    assert one["detected"] == [not 2 <= i < 7 for i in range(9)]
    (empty,) = run(path, max_gap_s=5 / FPS, output=tmp_path / "empty", **usual).files
    (one,) = read(empty)["people"]
    assert one["frame"] == list(range(9))
    assert [pose[0][0] is None for pose in one["pose_3d"]] == [2 <= i < 7 for i in range(9)]
    assert [root[0] is None for root in one["root_m"]] == [2 <= i < 7 for i in range(9)]
    short = {"max_gap_s": 0.1, "memory_s": 0.1, **usual}
    (two,) = run(path, output=tmp_path / "two", **short).files
    assert [p["frame"] for p in read(two)["people"]] == [[0, 1], [7, 8]]


def test_garbage_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "garbage.json").write_bytes(b"\x00\xffnonsense" * 1000)
    with pytest.raises(BrokenFileError, match="not readable as JSON"):
        run(tmp_path / "garbage.json", checkpoint="xyc", image_wh=(640, 480))


# ---------------------------------------------------------------------------------- in space


@pytest.mark.parametrize("way", ["depth", "reprojection"])
def test_people_stand_where_they_do(
    run: Run, film: Path, world: Path, standing: np.ndarray, way: str
) -> None:
    truth = truth_of(world)
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
    run: Run, film: Path, tmp_path: Path
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


def test_the_world_has_the_axis_up_that_was_asked_for(run: Run, film: Path) -> None:
    (file,) = run(film, up="z", formats=("json",)).files
    world = read(file)["world"]
    assert world["up"] == "z"
    up_camera = np.array(world["rotation"])[2]
    assert up_camera @ [0, -1, 0] > 0.8


def test_a_photo_says_how_wide_its_lens_sees(
    run: Run, tmp_path: Path, pictures: list[np.ndarray]
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
    run: Run, tmp_path: Path, film: Path, standing: np.ndarray
) -> None:
    features = FeatureConfig(variant="xyc")
    model = {"n_joints": 17, "in_channels": len(features.channels), "widths": (3,), "channels": 8}
    spec = LifterSpec(
        arch="tcn", model=model, features=features, target=TargetConfig(convention="image"),
        data={"tables": [["virtual", 10]]},
    )  # fmt: skip
    model_about = about(standing, build_model("tcn", **model))
    save_lifter(tmp_path / "image.safetensors", model_about, spec)
    file = run(film, checkpoint=str(tmp_path / "image.safetensors"), formats=("json",)).files[0]
    document = read(file)
    assert "assumed stature 1.7 m" in document["positions"]
    (person,) = document["people"]
    assert stature_m(np.array(person["pose_3d"]), H36M_17) == pytest.approx(1.7, abs=0.01)


def test_a_lifter_of_another_task_is_refused(run: Run, tmp_path: Path, film: Path) -> None:
    features = FeatureConfig(variant="xyc")
    model = {"n_joints": 17, "in_channels": len(features.channels), "widths": (3,), "channels": 8}
    spec = LifterSpec(arch="tcn", model=model, features=features, data={"task": "denoise"})
    save_lifter(tmp_path / "other.safetensors", build_model("tcn", **model), spec)
    with pytest.raises(UsageError, match="was trained for the task denoise"):
        run(film, checkpoint=str(tmp_path / "other.safetensors"))


def test_smoothing_takes_the_tremble_away(run: Run, film: Path, tmp_path: Path) -> None:
    def tremble(smooth: str) -> float:
        (file,) = run(film, smooth=smooth, output=tmp_path / smooth, formats=("json",)).files
        (person,) = read(file)["people"]
        return float(np.abs(np.diff(np.array(person["pose_3d"]), n=2, axis=0)).mean())

    assert tremble("butterworth") < 0.7 * tremble("none")


# ---------------------------------------------------------------------------------- formats


def test_every_format_is_written(run: Run, film: Path) -> None:
    formats = ("json", "npz", "parquet", "csv", "trc", "bvh", "mp4", "html")
    (file,) = run(film, formats=formats).files
    names = {path.name.removeprefix(film.stem) for path in file.results}
    assert names == {
        *(f"_auglift.{name}" for name in ("json", "npz", "parquet", "csv", "mp4", "html")),
        "_auglift_person0.trc", "_auglift_person0.bvh",
    }  # fmt: skip
    assert set(file.written) == set(file.results)
    assert all(path.stat().st_size for path in file.results)
    (again,) = run(film, formats=formats).files
    assert (again.written, again.results) == ((), file.results)


# ---------------------------------------------------------------------------------- online


def test_online_gives_a_line_for_each_frame_with_the_clips_people(
    run: Run, root: Path, film: Path, opened: OpenedDetector
) -> None:
    config = InferConfig(inputs=(film,), root=root, checkpoint="xyc", device="cpu", smooth="none")
    about, *lines = infer_online(config, opened)
    assert (about["format"], about["lifter"]) == (
        "auglift-people-live", "xyc/best_model.safetensors",
    )  # fmt: skip
    (clip,) = read(run(film, checkpoint="xyc", smooth="none", formats=("json",)).files[0])["people"]
    assert [line["frame"] for line in lines] == clip["frame"]
    json.dumps([about, *lines], allow_nan=False)
    for i, line in enumerate(lines):
        (person,) = line["people"]
        assert person["person"] == 0
        np.testing.assert_allclose(person["joints_2d"], clip["joints_2d"][i], atol=0.02)
        assert np.isfinite(np.array(person["pose_3d"], float)).all()
        assert person["root_m"][2] > 0
    # The last frame has no future either way, and the same past.
    last, offline = (np.array(p) for p in (lines[-1]["people"][0]["pose_3d"], clip["pose_3d"][-1]))
    np.testing.assert_allclose(
        last / np.linalg.norm(last), offline / np.linalg.norm(offline), atol=1e-4
    )


def test_online_looks_at_one_video_and_never_ahead(root: Path, film: Path) -> None:
    with pytest.raises(UsageError, match="one video at a time"):
        next(infer_online(InferConfig(inputs=(film, film), root=root)))
    with pytest.raises(ConfigError, match="looks ahead"):
        InferConfig(inputs=(film,), online=True, smooth="butterworth")


# ---------------------------------------------------------------------------------- a dataset


def test_every_sequence_of_a_split_gets_a_result(
    write_xycd: Callable[..., Path], root: Path, tmp_path: Path
) -> None:
    workspace = write_xycd("test", dataset="made")
    checkpoint = str(root / "work_dirs/casp/best_model.safetensors")
    config = InferConfig(
        root=workspace, dataset="made", split="test", checkpoint=checkpoint, device="cpu",
        output=tmp_path / "people", smooth="none",
    )  # fmt: skip
    table = read_table(Workspace(workspace).xycd("made", "test"), "xycd")
    result = infer(config)
    assert len(result.files) == len(table.unique("sequence"))
    assert sum(file.frames for file in result.files) == len(table)
    document = read(result.files[0])
    assert document["source"] == table.unique("sequence")[0]
    assert "camera: as the dataset says" in document["positions"]
    assert {path.suffix for path in result.files[0].results} == {".json", ".npz"}
    assert all(file.written == () for file in infer(config).files)


# ---------------------------------------------------------------------------------- from Python


def test_the_package_lifts_a_path_without_writing(
    root: Path, tmp_path: Path, keypoint_file: tuple[Path, tuple[int, int]]
) -> None:
    path, image_wh = keypoint_file
    before = set(tmp_path.rglob("*"))
    lifted = auglift.infer(path, root=root, checkpoint="xyc", image_wh=image_wh)
    assert [len(person.frame) for person in lifted.people] == [N_FRAMES]
    assert set(tmp_path.rglob("*")) == before
    lifter = auglift.Lifter.from_zoo("xyc", device="cpu", root=root)
    assert lifter.spec.features.variant == "xyc"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, auglift; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---------------------------------------------------------------------------------- what is there


def test_what_is_written_is_kept_and_nothing_is_opened_for_it(
    run: Run, film: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (first,) = run(film).files
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in first.results}
    with caplog.at_level(logging.INFO):
        (second,) = run(film, checkpoint="no such run").files
    assert second.written == ()
    assert second.results == first.results
    assert "is there already; --overwrite writes it anew" in caplog.text
    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in first.results}


def test_only_the_missing_file_is_written(run: Run, film: Path) -> None:
    (first,) = run(film).files
    json_file, npz_file, overlay, page = first.results
    npz_file.unlink()
    json_file.write_text("mine")
    (second,) = run(film).files
    assert second.written == (npz_file,)
    assert json_file.read_text() == "mine"
    assert overlay.is_file()
    assert page.is_file()


def test_overwrite_writes_all_anew_and_the_same(run: Run, film: Path) -> None:
    (first,) = run(film, formats=("json",)).files
    before = [path.read_bytes() for path in first.results]
    first.results[0].write_text("old")
    (second,) = run(film, formats=("json",), overwrite=True).files
    assert second.written == first.results
    assert [path.read_bytes() for path in second.results] == before


def test_a_dry_run_writes_nothing(
    run: Run, film: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        (file,) = run(film, dry_run=True, checkpoint="no such run").files
    assert file.written == ()
    assert not (tmp_path / "out").exists()
    assert f"would write {file.results[0]}" in caplog.text


# ---------------------------------------------------------------------------------- failures


def test_one_broken_input_leaves_the_others_done(run: Run, film: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.mp4").write_bytes(b"no video")
    result = run(tmp_path / "torn.mp4", film, tmp_path / "nowhere.mp4")
    assert [file.source for file in result.files] == [film]
    assert {failure.source.name: type(failure.error) for failure in result.failures} == {
        "torn.mp4": BrokenFileError,
        "nowhere.mp4": MissingDataError,
    }
    assert isinstance(result.error, PartlyDoneError)
    assert "2 of 3 inputs" in result.error.what
    assert "torn.mp4" in result.error.what
    assert run(film).error is None


def test_where_all_fail_it_is_the_first_ones_error(run: Run, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"no video")
    with pytest.raises(BrokenFileError) as caught:
        run(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert caught.value.where == str(tmp_path / "a.mp4")


def test_a_missing_input_is_said_before_anything_is_opened(root: Path, tmp_path: Path) -> None:
    config = InferConfig(inputs=(tmp_path / "nowhere.mp4",), root=root, checkpoint="no such run")
    with pytest.raises(MissingDataError, match="no such picture, video, folder or file"):
        infer(config)


def test_a_stop_is_no_failure_of_an_input(
    run: Run,
    film: Path,
    tmp_path: Path,
    opened: OpenedDetector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []

    def stop(pictures: list[np.ndarray]) -> None:
        calls.append(len(pictures))
        raise KeyboardInterrupt

    monkeypatch.setattr(opened.detector, "detect", stop)
    write_picture(tmp_path / "shot.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(KeyboardInterrupt):
        run(film, tmp_path / "shot.png")
    assert len(calls) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"formats": (), "video": False},
        {"batch": 0},
        {"max_gap_s": -0.1},
        {"max_gap_s": float("inf")},
        {"fps": 0.0},
        {"fps": float("nan")},
        {"image_wh": (0, 5)},
    ],
)
def test_settings_that_mean_nothing(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        InferConfig(**settings)


def test_no_input_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no input"):
        infer(InferConfig())


# ---------------------------------------------------------------------------------- networks


@pytest.mark.parametrize(
    ("dataset", "variant", "expected"),
    [("virtual", "casp", VIRTUAL), ("h36m", "casp", REAL), ("virtual", "xy", (*VIRTUAL[:2], None))],
)
def test_networks_follow_from_what_the_lifter_was_trained_on(
    dataset: str,
    variant: str,
    expected: tuple[str, ...],
    film: Path,
    tmp_path: Path,
    opened: OpenedDetector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = FeatureConfig(variant=variant)
    model = {"n_joints": 17, "in_channels": len(features.channels), "widths": (1, 1), "channels": 8}
    spec = LifterSpec(
        arch="tcn",
        model=model,
        features=features,
        radius_rule="paper",
        data={"tables": [[dataset, 10]]},
    )
    save_lifter(tmp_path / "lifter.safetensors", build_model("tcn", **model), spec)
    asked: list[Any] = []

    def open_them(*names: Any, **options: Any) -> OpenedDetector:
        asked.append((names, options["descriptor"].radius_rule))
        return opened

    monkeypatch.setattr(zoo_detector, "open_detector", open_them)
    config = InferConfig(
        inputs=(film,),
        output=tmp_path,
        checkpoint=str(tmp_path / "lifter.safetensors"),
        device="cpu",
        formats=("npz",),
        video=False,
    )
    infer(config)
    assert asked == [(tuple(expected), "paper")]


# ---------------------------------------------------------------------------------- command line


@pytest.fixture
def command(root: Path, tmp_path: Path) -> Callable[..., Any]:
    networks = [part for key, path in MODELS.items() for part in
                (f"--{key.replace('_', '-')}", path)]  # fmt: skip

    def command(*arguments: str) -> Any:
        usual = ["--root", str(root), "-o", str(tmp_path / "out"), "--checkpoint", "xyc", "-q"]
        return CliRunner().invoke(app, ["infer", *arguments, *usual, "--device", "cpu", *networks])

    return command


def test_the_command_prints_a_table(command: Callable[..., Any], film: Path) -> None:
    done = command(str(film), "--no-video", "--formats", "json")
    assert done.exit_code == 0
    assert f"{film.stem}_auglift.json" in done.stdout
    assert ".npz" not in done.stdout


def test_the_command_ends_with_5_and_one_document_when_an_input_fails(
    command: Callable[..., Any], film: Path, tmp_path: Path
) -> None:
    (tmp_path / "torn.mp4").write_bytes(b"no video")
    done = command(str(film), str(tmp_path / "torn.mp4"), "--no-video", "--json")
    assert done.exit_code == 5
    document = json.loads(done.stdout)
    assert [Path(file["source"]) for file in document["files"]] == [film]
    assert document["files"][0]["frames"] == N_FRAMES
    (failure,) = document["failures"]
    assert failure["error"] == "BrokenFileError"
    again = command(str(film), str(tmp_path / "torn.mp4"), "--no-video")
    assert again.exit_code == 5
    assert "1 of 2 inputs could not be done" in again.stderr.replace("\n", " ")


def test_the_command_ends_with_the_errors_code(command: Callable[..., Any], tmp_path: Path) -> None:
    assert command(str(tmp_path / "nowhere.mp4")).exit_code == 3


def test_the_command_says_where_the_camera_is_and_which_way_is_up(
    command: Callable[..., Any], film: Path, tmp_path: Path
) -> None:
    camera = ("--intrinsics", "200,200,64,114", "--height", "1.8", "--up", "z")
    done = command(str(film), *camera, "--smooth", "gaussian", "--formats", "json,trc")
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "out" / f"{film.stem}_auglift.json").read_text())
    assert document["camera"]["intrinsics"][:4] == [200, 200, 64, 114]
    assert "stature 1.8 m" in document["positions"]
    assert document["world"]["up"] == "z"
    assert f"{film.stem}_auglift_person0.trc" in done.stdout
    assert command(str(film), "--intrinsics", "200,200").exit_code == 2


def test_the_command_streams_lines(command: Callable[..., Any], film: Path) -> None:
    done = command(str(film), "--online")
    assert done.exit_code == 0, done.output
    about, *lines = map(json.loads, done.stdout.splitlines())
    assert about["format"] == "auglift-people-live"
    assert [line["frame"] for line in lines] == list(range(N_FRAMES))


def test_the_command_line_reaches_every_setting(tmp_path: Path) -> None:
    config = load_config(
        InferConfig,
        environment={},
        flags={"inputs": [Path("a.mp4"), Path("b")], "image_wh": (640, 480), "formats": ["npz"]},
        sets=["max_gap_s=1.5"],
    )
    assert config.inputs == (Path("a.mp4"), Path("b"))
    assert (config.image_wh, config.formats, config.max_gap_s) == ((640, 480), ("npz",), 1.5)
