"""Your own dataset: the least that is needed, everything that may be there, and what is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auglift.datasets import imports
from auglift.datasets.options import DatasetOptions
from auglift.errors import BrokenFileError, DataError, MissingDataError, SchemaError

OPTIONS = DatasetOptions()


def read_all(path, options=OPTIONS, every=1):
    found = imports.list_sequences(path, options)
    return [imports.read_sequence(path, one, every, options) for one in found]


@pytest.fixture
def least(poses):
    return {
        "pose_3d": poses(6),
        "image_wh": [640, 480],
        "intrinsics": [500.0, 510.0, 320.0, 240.0],
        "fps": 30,
    }


def test_the_least(tmp_path, least):
    path = tmp_path / "dance.npz"
    np.savez(path, **least)
    [sequence] = read_all(path)
    assert imports.recognise(path)[0] == "your own npz or parquet"
    assert imports.dataset_of(path) == "dance"
    assert sequence.id.name == "dance/all"
    assert sequence.id.split == "train"
    assert sequence.fps == 30
    assert sequence.frame.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(sequence.pose_3d, least["pose_3d"])
    x, y, z = least["pose_3d"][2, 3]
    expected = [500 * x / z + 320, 510 * y / z + 240]
    np.testing.assert_allclose(sequence.keypoints_2d[2, 3], expected, atol=1e-9)
    assert sequence.visible.all()
    assert sequence.cameras[0].image_wh == (640, 480)


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_everything(tmp_path, poses, suffix):
    n = 8
    pose_3d = poses(n)
    pose_3d[3, 2] = np.nan
    columns = {
        "pose_3d": pose_3d,
        "image_wh": np.tile([640, 480], (n, 1)),
        "intrinsics": np.tile([500.0, 500, 320, 240, -0.2, 0.1, 0, 0, 0], (n, 1)),
        "keypoints_2d": np.random.default_rng(1).random((n, 17, 2)) * 400,
        "visible": np.ones((n, 17), bool),
        "sequence": np.array(["b"] * 4 + ["a"] * 4),
        "frame": np.array([6, 4, 4, 6, 0, 2, 4, 6]),
        "person": np.array([0, 0, 1, 1, 0, 0, 0, 0]),
        "source": np.array(["b.mp4"] * 4 + ["a.mp4"] * 4),
        "subject": np.array(["ann"] * 4 + ["bob"] * 4),
        "action": np.array(["jump"] * 8),
        "split": np.array(["test"] * 4 + ["train"] * 4),
        "camera_name": np.array(["left"] * 8),
        "fps": np.array([50.0] * 4 + [25.0] * 4),
        "distortion": np.array(["opencv"] * 8),
        "skeleton": np.array(["h36m_17"] * 8),
    }
    path = tmp_path / f"everything.{suffix}"
    if suffix == "npz":
        np.savez(path, **columns)
    else:
        pq.write_table(pa.table({k: pa.array(v.tolist()) for k, v in columns.items()}), path)
    b, a = read_all(path)
    assert (b.id.name, b.id.split, b.subject, b.action, b.source, b.fps, b.id.camera_name) == (
        "everything/b", "test", "ann", "jump", "b.mp4", 50.0, "left",
    )  # fmt: skip
    assert (a.subject, a.fps, a.source) == ("bob", 25.0, "a.mp4")
    assert list(zip(b.person.tolist(), b.frame.tolist(), strict=True)) == [
        (0, 4), (0, 6), (1, 4), (1, 6),
    ]  # fmt: skip
    np.testing.assert_array_equal(b.pose_3d[0], pose_3d[1])
    np.testing.assert_allclose(b.keypoints_2d[1], columns["keypoints_2d"][0])
    assert not b.visible[3, 2]  # its 3D is not finite
    assert b.visible.sum() == 4 * 17 - 1
    assert b.cameras[0].distortion == "opencv"
    assert b.cameras[0].radial[0] == -0.2
    [_, thin] = read_all(path, every=4)
    assert thin.frame.tolist() == [0, 4]
    np.testing.assert_array_equal(thin.pose_3d, a.pose_3d[[0, 2]])


def test_a_camera_that_zooms(tmp_path, least):
    lenses = np.tile(least["intrinsics"], (6, 1))
    lenses[4:, :2] = 800
    np.savez(tmp_path / "zoom.npz", **least | {"intrinsics": lenses})
    [sequence] = read_all(tmp_path / "zoom.npz")
    assert [c.focal_px[0] for c in sequence.cameras] == [500, 500, 500, 500, 800, 800]
    x, _, z = least["pose_3d"][5, 0]
    np.testing.assert_allclose(sequence.keypoints_2d[5, 0, 0], 800 * x / z + 320)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_wh": None}, "no image_wh"),
        ({"fps": None}, "frame rate is not known"),
        ({"pose_3d": np.zeros((6, 19, 3))}, "19 joints"),
        ({"pose_3d": np.zeros((6, 17, 2))}, "'pose_3d' is"),
        ({"keypoints_2d": np.zeros((5, 17, 2))}, "'keypoints_2d' is"),
        ({"intrinsics": [0.0, 500, 320, 240]}, "must be positive"),
        ({"intrinsics": np.eye(3)}, "'intrinsics' is"),
        ({"image_wh": [[640, 480]] * 4}, "'image_wh' is"),
        ({"frame": [0, 1, 1, 2, 3, 4]}, "several rows for one person"),
        ({"frame": [0, 1, 2.5, 3, 4, 5]}, "whole numbers"),
        ({"split": "extra"}, "unknown split"),
        ({"subject": ["a", "a", "b", "a", "a", "a"]}, "several values of subject"),
        ({"sequence": ["a", "b"]}, "2 values for 6 rows"),
        ({"skeleton": "coco_17", "pose_3d": np.zeros((6, 24, 3))}, "but coco_17 has 17"),
        ({"fps": 0}, "frame rate of 0"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path, least, change, words):
    content = {k: v for k, v in (least | change).items() if v is not None}
    np.savez(tmp_path / "wrong.npz", **content)
    with pytest.raises((DataError, BrokenFileError), match=words):
        read_all(tmp_path / "wrong.npz")


def test_the_frame_rate_can_be_given(tmp_path, least):
    del least["fps"]
    np.savez(tmp_path / "x.npz", **least)
    [sequence] = read_all(tmp_path / "x.npz", DatasetOptions(import_fps=60.0))
    assert sequence.fps == 60


def test_no_known_format(tmp_path):
    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(SchemaError, match="no format that is known"):
        imports.recognise(tmp_path / "other.npz")
    with pytest.raises(MissingDataError):
        imports.recognise(tmp_path / "nothing.npz")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(BrokenFileError):
        read_all(tmp_path / "broken.parquet")
