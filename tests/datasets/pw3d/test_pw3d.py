"""3DPW: every trap of the true files, and joints where the pictures show them."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from auglift.datasets import pw3d as reader
from auglift.datasets.options import DatasetOptions
from auglift.datasets.pw3d_files import split_of
from auglift.errors import BrokenFileError, DataError, MissingDataError, UsageError
from auglift.geometry.skeleton import COCO_18, H36M_17, HMR_17, SMPL_24
from auglift.storage.video_writer import write_video


def _fixture_module():
    """The writers beside this file (test folders are no packages)."""
    spec = importlib.util.spec_from_file_location(
        "pw3d_writers", Path(__file__).parent / "conftest.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


writers = _fixture_module()
OPTIONS = DatasetOptions()


def read(folder: Path, name: str, options=OPTIONS, every=1):
    [sequence] = [s for s in reader.list_sequences(folder, options) if s.name == f"3dpw/{name}"]
    return reader.read_sequence(folder, sequence, every, options)


def test_sequences_and_splits_come_from_the_folders(pw3d):
    found = {s.name: s.split for s in reader.list_sequences(pw3d, OPTIONS)}
    assert found == {"3dpw/courtyard_box_00": "train", "3dpw/downtown_walkBridge_01": "test"}


def test_the_files_are_as_python_2_wrote_them(pw3d):
    content = (pw3d / "sequenceFiles/train/courtyard_box_00.pkl").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        pickle.loads(content)
    assert b"numpy.core.multiarray" in content


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("courtyard_box_00", "train"),
        ("outdoors_climbing_02", "train"),
        ("courtyard_dancing_00", "val"),
        ("courtyard_dancing_01", "train"),
        ("outdoors_golf_00", "val"),
        ("downtown_walkDownhill_00", "val"),
        ("outdoors_fencing_01", "test"),
        ("office_phoneCall_00", "test"),
        ("downtown_bar_00", "test"),
    ],
)
def test_flat_copies_take_the_official_split(name, split):
    assert split_of(name) == split


def test_rows_are_those_that_can_be_trusted(pw3d, caplog):
    with caplog.at_level("INFO"):
        sequence = read(pw3d, "courtyard_box_00")
    rows = {p: sequence.frame[sequence.person == p].tolist() for p in (0, 1)}
    # 2: no camera; 4: nothing seen; 7: no picture; person 1: too few points before frame 3
    assert rows == {0: [0, 1, 3, 5, 6], 1: [3, 4, 5, 6]}
    assert "1 without a valid camera, 1 hardly seen, 1 without a picture" in caplog.text
    assert "3 hardly seen" in caplog.text
    assert sequence.fps == 30
    assert (sequence.subject, sequence.action) == ("courtyard_box_00", "box")


def test_every_second_frame(pw3d):
    sequence = read(pw3d, "courtyard_box_00", every=2)
    assert sequence.frame[sequence.person == 0].tolist() == [0, 6]


def test_poses_stand_before_the_camera_as_the_picture_shows(pw3d):
    """Camera axes by hand: world (x, y, z) of a phone 4 m away that looks along −Z."""
    sequence = read(pw3d, "courtyard_box_00")
    wrist, ankle = H36M_17.indices("right_wrist", "left_ankle")
    for row in (0, 3):
        frame = sequence.frame[row]
        x, y, z = writers.STANDING["right_wrist"]
        expected = [x - 0.01 * frame, 1.2 - y, 4 - (z + 0.02 * frame)]
        np.testing.assert_allclose(sequence.pose_3d[row, wrist], expected, atol=1e-12)
        focal, centre = np.array([1960.0, 1962.0]), np.array([957.0, 545.0])
        place = focal * np.array(expected[:2]) / expected[2] + centre
        np.testing.assert_allclose(sequence.keypoints_2d[row, wrist], place, atol=1e-9)
    # the lifted right wrist is high in the picture and to its left as one who faces us
    assert sequence.keypoints_2d[0, wrist, 1] < sequence.keypoints_2d[0, ankle, 1]
    assert np.median(sequence.reprojection_px()) < 1e-6


def test_the_mirror_image_would_be_noticed(pw3d):
    sequence = read(pw3d, "courtyard_box_00")
    right, left = H36M_17.indices("right_wrist", "left_wrist")
    assert (sequence.pose_3d[:, right, 1] < sequence.pose_3d[:, left, 1] - 0.5).all()


def test_joints_by_variant(pw3d):
    smpl = np.array([writers.STANDING[joint] for joint in SMPL_24.joints])

    def world(options):
        sequence = read(pw3d, "courtyard_box_00", options)
        return sequence.cameras[0].to_world(sequence.pose_3d[0])

    a, b = (world(DatasetOptions(pw3d_joints=name)) for name in "ab")
    at = {joint: i for i, joint in enumerate(H36M_17.joints)}
    index_a = [0, 2, 5, 8, 1, 4, 7, 6, 9, 12, 15, 16, 18, 20, 17, 19, 21]
    np.testing.assert_allclose(a, smpl[index_a], atol=1e-12)
    np.testing.assert_allclose(b[at["thorax"]], smpl[SMPL_24.index("neck")], atol=1e-12)
    np.testing.assert_allclose(b[at["neck_base"]], smpl[SMPL_24.index("head")], atol=1e-12)


def test_variant_c_takes_the_surface(pw3d, tmp_path):
    rng = np.random.default_rng(0)
    regressor = rng.random((17, 50))
    vertices = rng.random((writers.N_FRAMES, 50, 3)).astype(np.float32)
    np.save(tmp_path / "J_regressor_h36m.npy", regressor)
    for person in (0, 1):
        np.save(tmp_path / f"courtyard_box_00_{person}.npy", vertices + person)
    options = DatasetOptions(
        pw3d_joints="c", pw3d_regressor=tmp_path / "J_regressor_h36m.npy", pw3d_smpl=tmp_path
    )
    sequence = read(pw3d, "courtyard_box_00", options)
    world = sequence.cameras[0].to_world(sequence.pose_3d[0])
    expected = regressor @ vertices[0]  # left leg first
    np.testing.assert_allclose(
        world[H36M_17.index("left_knee")], expected[HMR_17.index("left_knee")], atol=1e-6
    )
    np.testing.assert_allclose(
        world[H36M_17.index("right_wrist")], expected[HMR_17.index("right_wrist")], atol=1e-6
    )


def test_variant_c_without_its_files_says_what_it_needs(pw3d, tmp_path):
    with pytest.raises(UsageError, match="surface"):
        read(pw3d, "courtyard_box_00", DatasetOptions(pw3d_joints="c"))
    np.save(tmp_path / "r.npy", np.zeros((17, 5)))
    options = DatasetOptions(pw3d_joints="c", pw3d_regressor=tmp_path / "r.npy", pw3d_smpl=tmp_path)
    with pytest.raises(MissingDataError):
        read(pw3d, "courtyard_box_00", options)


def test_sizes_come_from_the_picture_or_from_the_principal_point(pw3d):
    assert read(pw3d, "downtown_walkBridge_01").cameras[0].image_wh == (1080, 1920)
    writers.write_pictures(pw3d, "downtown_walkBridge_01", range(8), wh=(540, 960))
    assert read(pw3d, "downtown_walkBridge_01").cameras[0].image_wh == (540, 960)


def test_frame_numbers_count_the_pictures_that_are_there(pw3d):
    """A folder that lacks its first pictures: frame numbers are places in the folder."""
    writers.write_pictures(pw3d, "downtown_walkBridge_01", range(3, 8))
    sequence = read(pw3d, "downtown_walkBridge_01")
    assert sequence.frame.tolist() == [0, 1, 2, 3, 4]
    knee = H36M_17.index("right_knee")
    z = 4 - (0.2 + 0.02 * 3)
    np.testing.assert_allclose(sequence.pose_3d[0, knee, 2], z, atol=1e-12)


def test_a_listing_with_videos(pw3d):
    video = pw3d / "videos" / "bridge.mp4"
    video.parent.mkdir()
    with write_video(video, fps=30.0) as writer:
        for _ in range(writers.N_FRAMES):
            writer.write(np.full((192, 108, 3), 90, np.uint8))
    entry = {
        "name": "downtown_walkBridge_01",
        "split": "validation",
        "pkl": "sequenceFiles/test/downtown_walkBridge_01.pkl",
        "video": "videos/bridge.mp4",
    }
    (pw3d / "dataset.json").write_text(json.dumps({"sequences": [entry]}))
    [sequence] = reader.list_sequences(pw3d, OPTIONS)
    assert sequence.split == "val"
    found = reader.read_sequence(pw3d, sequence, 1, OPTIONS)
    assert found.source == "videos/bridge.mp4"
    assert found.cameras[0].image_wh == (108, 192)
    video.unlink()
    with pytest.raises(MissingDataError, match="footage"):
        reader.read_sequence(pw3d, sequence, 1, OPTIONS)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '{"sequences": [{"name": "x"}]}',
        '{"sequences": 3}',
        '{"sequences": [{"name": "x", "split": "extra"}]}',
    ],
)
def test_a_broken_listing(pw3d, content):
    (pw3d / "dataset.json").write_text(content)
    with pytest.raises(BrokenFileError):
        reader.list_sequences(pw3d, OPTIONS)


def test_two_files_of_one_sequence(pw3d):
    writers.write_recording(pw3d, "validation", writers.recording())
    with pytest.raises(DataError, match=r"train.*courtyard_box_00|validation.*courtyard_box_00"):
        reader.list_sequences(pw3d, OPTIONS)


def test_a_hostile_pickle_is_refused_and_nothing_runs(pw3d, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'mark'}",)

    path = pw3d / "sequenceFiles/train/courtyard_box_00.pkl"
    path.write_bytes(pickle.dumps(writers.recording() | {"genders": Hostile()}, protocol=2))
    with pytest.raises(BrokenFileError, match="code and not data"):
        read(pw3d, "courtyard_box_00")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"jointPositions": [np.zeros((8, 66))] * 2},
        {"poses2d": [np.zeros((8, 18, 3))] * 2},
        {"cam_intrinsics": np.full((3, 3), np.nan)},
        {"cam_poses": np.zeros((8, 3, 4))},
        {"campose_valid": [np.ones(8)]},
        {"cam_poses": None},
    ],
)
def test_other_content_is_named(pw3d, change):
    writers.write_recording(pw3d, "train", writers.recording() | change)
    with pytest.raises(BrokenFileError, match="not a sequence file of 3DPW"):
        read(pw3d, "courtyard_box_00")


def test_a_truncated_pickle(pw3d):
    path = pw3d / "sequenceFiles/train/courtyard_box_00.pkl"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(BrokenFileError, match="not a readable pickle"):
        read(pw3d, "courtyard_box_00")


def test_a_sequence_in_which_nobody_is_seen_is_empty(pw3d):
    content = writers.recording()
    content["campose_valid"] = [np.zeros(writers.N_FRAMES, int)] * 2
    writers.write_recording(pw3d, "train", content)
    sequence = read(pw3d, "courtyard_box_00")
    assert len(sequence) == 0
    assert sequence.pose_3d.shape == (0, 17, 3)


def test_check_says_what_is_missing_and_what_is_wrong(pw3d):
    for name, split, people in (
        ("courtyard_box_00", "train", 2),
        ("downtown_walkBridge_01", "test", 1),
    ):
        content = writers.recording(name, people, portrait=split == "test")
        writers.write_recording(pw3d, split, with_detections(content))
    lines = reader.check(pw3d, OPTIONS)
    found = {line.what: line for line in lines}
    assert found["train: 1 of 24 sequences"].status == "missing"
    assert found["courtyard_box_00: 1 pictures of 8"].status == "missing"
    assert found["downtown_walkBridge_01: no pictures"].status == "missing"
    assert not [line.what for line in lines if line.status == "wrong"]
    # the camera of another convention
    content = with_detections(writers.recording())
    content["cam_poses"][:, :3, :3] = np.eye(3)
    content["cam_poses"][:, 2, 3] = 4.0
    writers.write_recording(pw3d, "train", content)
    [wrong] = [line for line in reader.check(pw3d, OPTIONS) if line.status == "wrong"]
    assert "courtyard_box_00" in wrong.what
    (pw3d / "sequenceFiles/train/courtyard_box_00.pkl").write_bytes(b"broken")
    [wrong] = [line for line in reader.check(pw3d, OPTIONS) if line.status == "wrong"]
    assert "not a readable pickle" in wrong.what


def with_detections(content):
    """OpenPose's points four pixels beside the joints; its face where the head is."""
    camera = content["cam_poses"]
    for joints, points in zip(content["jointPositions"], content["poses2d"], strict=True):
        world = joints.reshape(-1, 24, 3)
        space = np.einsum("nij,nkj->nki", camera[:, :3, :3], world) + camera[:, None, :3, 3]
        pixels = space @ content["cam_intrinsics"].T
        pixels = pixels[..., :2] / pixels[..., 2:] + 4.0
        for i, joint in enumerate(COCO_18.joints):
            points[:, :2, i] = pixels[
                :, SMPL_24.joints.index(joint if joint in SMPL_24.joints else "head")
            ]
    return content
