"""Keypoints of other tools become people in space, without any network for pictures."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglift.errors import BrokenFileError, DataError, UsageError
from auglift.infer import InferConfig, InferredFile, InferResult, infer

FPS = 25.0
N_FRAMES = 6

Read = Callable[[InferredFile], dict[str, Any]]
Results = Callable[[InferredFile], dict[str, Path]]
Run = Callable[..., InferResult]


def test_keypoints_give_the_poses_that_their_video_gives(
    run: Run, film: Path, keypoint_file: tuple[Path, tuple[int, int]], read: Read, results: Results
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
    run: Run,
    keypoint_file: tuple[Path, tuple[int, int]],
    caplog: pytest.LogCaptureFixture,
    read: Read,
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
    run: Run, keypoint_file: tuple[Path, tuple[int, int]], read: Read
) -> None:
    path, image_wh = keypoint_file
    frames = json.loads(path.read_text())
    path.write_text(json.dumps([*frames[:4], *frames[5:]]))
    (file,) = run(path, checkpoint="xyc", image_wh=image_wh).files
    (person,) = read(file)["people"]
    assert person["frame"] == list(range(N_FRAMES))
    assert person["detected"] == [i != 4 for i in range(N_FRAMES)]


def test_a_gap_is_bridged_or_left_empty_or_parts_two_people(
    run: Run, tmp_path: Path, keypoint_file: tuple[Path, tuple[int, int]], read: Read
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
    (two,) = run(path, output=tmp_path / "two", min_track_s=2 / FPS, **short).files
    assert [p["frame"] for p in read(two)["people"]] == [[0, 1], [7, 8]]
    (nobody,) = run(path, output=tmp_path / "nobody", min_track_s=3 / FPS, **short).files
    assert nobody.people == 0


def test_keypoints_of_nobody_are_a_result_without_people(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "nobody.json"
    path.write_text(json.dumps([{"frame_id": i, "instances": []} for i in range(5)]))
    (file,) = run(path, checkpoint="xyc", image_wh=(640, 480)).files
    assert (file.people, file.poses) == (0, 0)


def test_keypoints_of_one_frame(run: Run, keypoint_file: tuple[Path, tuple[int, int]]) -> None:
    path, image_wh = keypoint_file
    path.write_text(json.dumps(json.loads(path.read_text())[:1]))
    (file,) = run(path, checkpoint="xyc", image_wh=image_wh).files
    assert (file.frames, file.people, file.poses) == (1, 1, 1)


@pytest.mark.parametrize("which", [slice(5, 6), slice(None)], ids=["a joint", "everybody"])
def test_what_is_nan_is_bridged(
    run: Run, read: Read, keypoint_file: tuple[Path, tuple[int, int]], which: slice
) -> None:
    path, image_wh = keypoint_file
    frames = json.loads(path.read_text())
    points = frames[2]["instances"][0]["keypoints"]
    points[which] = [[float("nan"), float("nan")] for _ in points[which]]
    path.write_text(json.dumps(frames))
    (file,) = run(path, checkpoint="xyc", image_wh=image_wh).files
    (person,) = read(file)["people"]
    assert person["frame"] == list(range(N_FRAMES))
    assert np.isfinite(np.array(person["pose_3d"], float)).all()
    assert np.isfinite(np.array(person["joints_2d"], float)).all()


def with_joints(frames: list[Any], n_joints: int) -> None:
    for frame in frames:
        for person in frame["instances"]:
            person["keypoints"] = [[5.0 * i, 9.0 * i] for i in range(n_joints)]
            person["keypoint_scores"] = [0.9] * n_joints


def nested(frames: list[Any]) -> None:
    frames[1]["instances"] = [frames[1]["instances"]]


def shuffled(frames: list[Any]) -> None:
    frames[1]["instances"][0]["keypoints"] = {"nose": [1, 2]}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frames: with_joints(frames, 25), r"\[0\]\.instances\[0\] has 25 joints"),
        (lambda frames: with_joints(frames, 133), "has 133 joints"),
        (lambda frames: with_joints(frames, 0), "no list of"),
        (lambda frames: with_joints(frames[1:2], 26), r"\[1\]\.instances\[0\] has 26 joints"),
        (nested, r"\[1\]\.instances\[0\] is a list of 1 where an object is expected"),
        (shuffled, r"\[1\]\.instances\[0\]\.keypoints is an object"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(
    run: Run, keypoint_file: tuple[Path, tuple[int, int]], spoil: Any, message: str
) -> None:
    path, image_wh = keypoint_file
    frames = json.loads(path.read_text())
    spoil(frames)
    path.write_text(json.dumps(frames))
    with pytest.raises(DataError, match=message) as caught:
        run(path, checkpoint="xyc", image_wh=image_wh)
    assert caught.value.where == str(path)


TEN_MB = 10_000_000


@pytest.mark.parametrize(
    "content",
    [
        np.random.default_rng(0).bytes(TEN_MB),
        bytes(TEN_MB),
        b"[" * TEN_MB,
        b"1" * TEN_MB,
        b"[" + b"1.5," * (TEN_MB // 4) + b"0]",
        b"[" + b"{}," * (TEN_MB // 3) + b"{}]",
        b'{"instances": "' + b"x" * TEN_MB + b'"}',
    ],
    ids=["noise", "zeros", "brackets", "digits", "numbers", "objects", "text"],
)
def test_ten_megabytes_of_garbage_are_refused_in_a_line(
    run: Run, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "garbage.json"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"not readable as JSON|not keypoints") as caught:
        run(path, checkpoint="xyc", image_wh=(640, 480))
    assert len(caught.value.what) < 500
    assert caught.value.where == str(path)
