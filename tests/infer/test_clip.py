"""Videos and pictures become files: what is in them, whom they are of, and when."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglift.datasets.sequence import AnnotatedSequence
from auglift.detection.zoo_detector import OpenedDetector
from auglift.errors import DataError
from auglift.geometry.skeleton import H36M_17
from auglift.infer import InferredFile, InferResult
from auglift.lifting.data import load_pose_data
from auglift.lifting.lifter import Lifter
from auglift.storage.pictures import read_picture, write_picture
from auglift.storage.video import read_video
from auglift.storage.video_writer import write_video

FPS = 25.0
N_FRAMES = 6

Read = Callable[[InferredFile], dict[str, Any]]
Results = Callable[[InferredFile], dict[str, Path]]
Run = Callable[..., InferResult]


def test_a_video_becomes_json_npz_and_an_overlay_that_agree(
    run: Run, film: Path, read: Read, results: Results
) -> None:
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


def test_the_keypoints_sit_on_the_person(
    run: Run, film: Path, truth: AnnotatedSequence, read: Read
) -> None:
    truth = truth.keypoints_2d
    (person,) = read(run(film).files[0])["people"]
    limbs = H36M_17.indices("left_knee", "right_knee", "left_elbow", "right_elbow", "thorax")
    errors = np.linalg.norm(np.array(person["joints_2d"]) - truth, axis=-1)[:, limbs]
    sure = np.array(person["confidence"])[:, limbs] > 0.7
    person_height = np.ptp(truth[..., 1], axis=1).mean()
    assert sure.mean() > 0.5
    assert np.median(errors[sure]) < 0.03 * person_height


def test_poses_are_those_of_the_lifter_on_the_same_detections(
    run: Run, root: Path, film: Path, pictures: list[np.ndarray], opened: OpenedDetector, read: Read
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
    run: Run, tmp_path: Path, pictures: list[np.ndarray], read: Read, results: Results
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
    run: Run,
    tmp_path: Path,
    pictures: list[np.ndarray],
    caplog: pytest.LogCaptureFixture,
    results: Results,
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
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture, read: Read, results: Results
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


def test_a_picture_becomes_a_picture(
    run: Run, tmp_path: Path, pictures: list[np.ndarray], read: Read, results: Results
) -> None:
    write_picture(tmp_path / "shot.png", pictures[0])
    (file,) = run(tmp_path / "shot.png").files
    (person,) = read(file)["people"]
    assert (person["frame"], person["time_s"]) == ([0], [0.0])
    assert np.isfinite(np.array(person["pose_3d"], float)).all()
    height, width = pictures[0].shape[:2]
    assert read_picture(results(file)[".png"]).shape == (height, width + height // 2, 3)


def test_a_picture_of_one_pixel(run: Run, tmp_path: Path, read: Read) -> None:
    write_picture(tmp_path / "dot.png", np.full((1, 1, 3), 9, np.uint8))
    (file,) = run(tmp_path / "dot.png").files
    assert (file.people, read(file)["image_wh"]) == (0, [1, 1])


def write_folder(folder: Path, pictures: list[np.ndarray]) -> Path:
    for i, picture in enumerate(pictures):
        write_picture(folder / f"{i}.png", picture)
    return folder


def test_a_folder_is_one_clip_and_a_broken_picture_is_bridged(
    run: Run, tmp_path: Path, pictures: list[np.ndarray], read: Read
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
