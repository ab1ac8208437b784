"""Human3.6M as it is downloaded → annotated sequences: each trap of the dataset has its test."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from auglift.datasets.h36m import list_sequences, read_sequence
from auglift.datasets.options import DatasetOptions
from auglift.errors import BrokenFileError, DataError, MissingDataError, MissingExtraError
from auglift.geometry.skeleton import H36M_17
from auglift.storage.pictures import write_picture

DEFAULT = DatasetOptions()
WORLD = DatasetOptions(h36m_positions="world")
# The published subset of the 32.
OF_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]


def names(copy, options=DEFAULT):
    return sorted(s.name for s in list_sequences(copy.root, options))


def read(copy, name, every=1, options=DEFAULT):
    [listed] = [s for s in list_sequences(copy.root, options) if s.name == f"h36m/{name}"]
    return read_sequence(copy.root, listed, every, options)


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


# --- what is listed


def test_one_sequence_for_every_take_and_camera_that_has_something_to_see(whole, caplog):
    listed = {s.name: s.split for s in list_sequences(whole.root, DEFAULT)}
    takes = {
        "S1/Directions 1": "train", "S1/Photo 1": "train",
        "S9/Photo 1": "test", "S9/Waiting 1": "test", "S11/Directions": "test",
    }  # fmt: skip
    wanted = {f"h36m/{t}/{c}": split for t, split in takes.items() for c in whole.cameras}
    del wanted["h36m/S11/Directions/54138969"]
    assert listed == wanted
    assert "left out, without video or pictures: S11/Directions/54138969" in warnings(caplog)


def test_takes_that_are_missing_are_said(whole, caplog):
    caplog.set_level(logging.INFO)
    list_sequences(whole.root, DEFAULT)
    # Three subjects have 30 takes each; five of them are there.
    assert f"{(90 - 5) * 4} sequences have no 3D, such as S1/Directions/54138969" in caplog.text
    assert "no 3D of S5, S6, S7, S8" in caplog.text


def test_without_any_videos_the_annotations_are_there_alone(copy, caplog):
    copy.add("S9", "Directions", surplus=None)
    assert len(names(copy)) == 4
    assert any("no videos or pictures" in text for text in warnings(caplog))
    sequence = read(copy, "S9/Directions/55011271")
    assert sequence.source == "S9/Videos/Directions.55011271.mp4"
    assert sequence.cameras[0].image_wh == (1000, 1000)


def test_files_that_are_no_takes_are_passed_by(copy):
    copy.add("S9", "Directions", cameras=["55011271"])
    copy.add("S2", "Directions", cameras=["55011271"], kinds=(), surplus=0)  # has no poses at all
    folder = copy.root / "S9/MyPoseFeatures"
    pose = next((folder / "D3_Positions_mono").iterdir())
    universal = folder / "D3_Positions_mono_universal"
    universal.mkdir()
    shutil.copy(pose, universal)
    for name in ("_ALL.55011271.cdf", "._Directions.55011271.cdf", "Directions.12345678.cdf"):
        shutil.copy(pose, pose.with_name(name))
    (folder / "D3_Angles").mkdir()
    shutil.copy(pose, folder / "D3_Angles")
    mono = DatasetOptions(h36m_positions="mono")
    assert names(copy, mono) == ["h36m/S9/Directions/55011271"]


@pytest.mark.parametrize(
    ("poses", "footage"),
    [
        ("extracted/{subject}/MyPoseFeatures/{kind}", "extracted/{subject}/Videos"),
        ("extracted/{subject}/Poses_{kind}", "extracted/{subject}/Videos"),
        ("Poses_{kind}_{subject}", "Videos_{subject}"),
        ("a/b c/s9/{kind}", "elsewhere/s09/videos"),
    ],
)
def test_whatever_folders_it_was_unpacked_to(copy, poses, footage):
    copy.add("S9", "Directions", cameras=["55011271"], poses=poses, footage=footage)
    mono = DatasetOptions(h36m_positions="mono")
    sequence = read(copy, "S9/Directions/55011271", options=mono)
    pose, points = copy.truth("S9", "Directions", "55011271")
    assert np.abs(sequence.pose_3d - pose[:, OF_32]).max() < 1e-5
    assert np.abs(sequence.keypoints_2d - points[:, OF_32]).max() < 1e-3
    assert (copy.root / sequence.source).is_file()


def test_links_are_followed_and_no_way_round_is_a_double(copy, tmp_path):
    copy.add("S9", "Directions", cameras=["55011271"])
    elsewhere = tmp_path / "disk"
    shutil.move(copy.root / "S9", elsewhere)
    (copy.root / "S9").symlink_to(elsewhere)
    (copy.root / "S9/again").symlink_to(copy.root)
    assert len(read(copy, "S9/Directions/55011271")) == 12


def test_positions_of_older_copies_in_hdf5(copy):
    copy.add("S9", "Directions", kinds=())
    path = copy.root / "S9/MyPoses/3D_positions/Directions.h5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["3D_positions"] = copy.walk_mm("S9", "Directions", 12).reshape(12, 96).T
    sequence = read(copy, "S9/Directions/60457274")
    pose, points = copy.truth("S9", "Directions", "60457274")
    assert np.abs(sequence.pose_3d - pose[:, OF_32]).max() < 1e-9
    assert np.abs(sequence.keypoints_2d - points[:, OF_32]).max() < 1e-6
    path.write_bytes(b"no HDF5")
    with pytest.raises(BrokenFileError) as caught:
        read(copy, "S9/Directions/60457274")
    assert caught.value.where == str(path)


# --- what is read


def test_what_is_read_is_what_the_files_say(whole):
    spelled = {"S1/Photo 1": "TakingPhoto 1"}
    for listed in list_sequences(whole.root, DEFAULT):
        sequence = read_sequence(whole.root, listed, 1, DEFAULT)
        subject, take, camera = listed.name.split("/")[1:]
        file_name = spelled.get(f"{subject}/{take}", take)
        pose, points = whole.truth(subject, file_name, camera)
        assert np.abs(sequence.pose_3d - pose[:, OF_32]).max() < 1e-5
        assert np.abs(sequence.keypoints_2d - points[:, OF_32]).max() < 1e-3
        assert sequence.visible.all()
        assert sequence.skeleton is H36M_17
        assert (sequence.subject, sequence.action) == (subject, take.split()[0])
        assert (sequence.fps, sequence.frame.tolist()) == (50.0, list(range(12)))
        assert set(sequence.person.tolist()) == {0}
        assert sequence.source == f"{subject}/Videos/{file_name}.{camera}.mp4"
        assert sequence.reprojection_px().max() < 1e-2


def test_left_is_left_and_up_is_up(whole):
    """The subject walks with the left arm up, as everybody sees from the other joints' places."""
    joint = H36M_17.index
    for camera in whole.cameras:
        sequence = read(whole, f"S1/Directions 1/{camera}")
        points = sequence.pose_3d
        height = -points[..., 1]  # y points down
        assert (height[:, joint("left_wrist")] - height[:, joint("head")] > 0.05).all()
        assert (height[:, joint("left_wrist")] - height[:, joint("right_wrist")] > 0.5).all()
        assert (height[:, joint("head")] > height[:, joint("pelvis")] + 0.4).all()
        assert ((points[..., 2] > 2) & (points[..., 2] < 8)).all()  # before the camera, metres
        # Seen from above, the left hip is to the left of where the toes point to.
        world = sequence.cameras[0].to_world(points)
        across = world[:, joint("left_hip")] - world[:, joint("right_hip")]
        up = np.array([0.0, 0.0, 1.0])
        assert (np.abs(across @ up) < 0.1).all()
        ahead = np.cross(across, up)
        walked = world[-1, joint("pelvis")] - world[0, joint("pelvis")]
        assert (ahead @ walked > 0).all()


def test_the_camera_is_the_same_in_both_directions(whole):
    sequence = read(whole, "S9/Photo 1/58860488")
    camera = sequence.cameras[0]
    assert camera.distortion == "h36m"
    assert camera.centre * 1000 == pytest.approx(whole.centre_mm("S9", "58860488"), abs=1e-6)
    assert camera.rotation == pytest.approx(whole.rotation("S9", "58860488"), abs=1e-9)
    world = whole.walk_mm("S9", "Photo 1", 12)[:, OF_32] / 1000
    assert np.abs(camera.to_world(sequence.pose_3d) - world).max() < 1e-5
    assert np.abs(camera.to_camera(world) - sequence.pose_3d).max() < 1e-5


def test_positions_in_the_world_and_in_the_camera_give_the_same(whole):
    for camera in whole.cameras:
        mono = read(whole, f"S9/Photo 1/{camera}")
        world = read(whole, f"S9/Photo 1/{camera}", options=WORLD)
        assert np.abs(mono.pose_3d - world.pose_3d).max() < 1e-5


def test_auto_takes_what_is_there_and_the_others_only_what_was_asked(copy):
    copy.add("S9", "Directions", kinds=["D3_Positions"])
    copy.add("S9", "Photo", kinds=["D3_Positions_mono"], cameras=["55011271"])
    assert len(names(copy)) == 5
    assert len(names(copy, WORLD)) == 4
    assert names(copy, DatasetOptions(h36m_positions="mono")) == ["h36m/S9/Photo/55011271"]
    shutil.rmtree(copy.root / "S9/MyPoseFeatures/D3_Positions")
    with pytest.raises(MissingDataError, match="no 3D of the kind 'world'"):
        names(copy, WORLD)


def test_2d_is_projected_with_the_lens_where_there_are_no_files(copy):
    """The right formula is told from OpenCV's and from none by far more than the tolerance."""
    copy.add("S9", "Directions", kinds=["D3_Positions_mono"])
    for camera in copy.cameras:
        sequence = read(copy, f"S9/Directions/{camera}")
        points = copy.truth("S9", "Directions", camera)[1][:, OF_32]
        assert np.abs(sequence.keypoints_2d - points).max() < 1e-3
        nine = copy.numbers["lenses"][camera]
        matrix = np.array([[nine[0], 0, nine[2]], [0, nine[1], nine[3]], [0, 0, 1]])
        for coefficients, least_px in (((*nine[4:6], *nine[7:9], nine[6]), 0.01), ((0,) * 5, 0.3)):
            other = cv2.projectPoints(
                sequence.pose_3d.reshape(-1, 3), np.zeros(3), np.zeros(3), matrix,
                np.array(coefficients, float),
            )[0].reshape(points.shape)  # fmt: skip
            assert np.abs(other - points).max() > least_px


def test_2d_of_the_files_is_kept_even_where_it_is_off(copy):
    copy.add("S9", "Directions", cameras=["55011271"])
    points = copy.truth("S9", "Directions", "55011271")[1] + 7.0
    path = copy.root / "S9/MyPoseFeatures/D2_Positions/Directions.55011271.cdf"
    path.unlink()
    copy.write_cdf(path, points.reshape(12, 64))
    sequence = read(copy, "S9/Directions/55011271")
    assert np.median(sequence.reprojection_px()) == pytest.approx(np.hypot(7, 7), abs=1e-2)


def test_what_is_no_number_is_not_vouched_for(copy):
    copy.add("S9", "Directions", cameras=["55011271"], kinds=["D3_Positions_mono"])
    path = copy.root / "S9/MyPoseFeatures/D3_Positions_mono/Directions.55011271.cdf"
    pose = copy.truth("S9", "Directions", "55011271")[0] * 1000
    pose[3, 25] = np.nan  # the right shoulder
    path.unlink()
    copy.write_cdf(path, pose.reshape(12, 96))
    visible = read(copy, "S9/Directions/55011271").visible
    assert np.argwhere(~visible).tolist() == [[3, H36M_17.index("right_shoulder")]]


# --- time: rates, lengths, pictures


def test_every_kth_frame(whole):
    sequence = read(whole, "S9/Photo 1/58860488", every=5)
    assert (sequence.frame.tolist(), sequence.fps) == ([0, 5, 10], 50.0)
    everything = read(whole, "S9/Photo 1/58860488")
    assert (sequence.pose_3d == everything.pose_3d[::5]).all()
    assert (sequence.keypoints_2d == everything.keypoints_2d[::5]).all()
    assert sequence.columns()["time_s"] == pytest.approx([0, 0.1, 0.2])


def test_videos_are_a_little_longer_than_annotations_which_is_no_news(whole, caplog):
    assert len(read(whole, "S1/Photo 1/54138969")) == 12  # 19 pictures
    list_sequences(whole.root, DEFAULT)
    assert not [text for text in warnings(caplog) if "annotated" in text]


def test_known_short_annotations_are_no_news_and_others_are(whole, copy, caplog):
    assert len(read(whole, "S9/Waiting 1/54138969")) == 12  # 24 pictures
    assert not [text for text in warnings(caplog) if "annotated" in text]
    copy.add("S9", "Walking", cameras=["55011271"], surplus=9)
    assert len(read(copy, "S9/Walking/55011271")) == 12
    assert "only the first 12 of the video's 21 frames are annotated" in caplog.text
    assert [text for text in warnings(caplog) if "annotated" in text]


def test_frames_without_pictures_are_left_out_with_a_warning(copy, caplog):
    copy.add("S9", "Walking", cameras=["55011271"], surplus=-4)
    assert read(copy, "S9/Walking/55011271").frame.tolist() == list(range(8))
    assert any("ends 4 frames before the annotation" in text for text in warnings(caplog))


def extract(folder, numbers, wh=(1000, 1000)):
    """Pictures under MMPose's or mks0601's names."""
    folder.mkdir(parents=True)
    for number in numbers:
        write_picture(
            folder / f"{folder.name}_{number:06d}.jpg", np.full((wh[1], wh[0], 3), 9, np.uint8)
        )


@pytest.mark.parametrize(
    "folder", ["images/S9/S9_Photo_1.55011271", "images/s_09_act_12_subact_01_ca_02"]
)
def test_pictures_instead_of_a_video(copy, folder):
    copy.add("S9", "Photo 1", cameras=["55011271"], surplus=None)
    extract(copy.root / folder, range(1, 14))
    sequence = read(copy, "S9/Photo 1/55011271")
    assert (sequence.source, sequence.fps) == (folder, 50.0)
    assert sequence.frame.tolist() == list(range(12))


def test_every_fifth_picture_has_a_rate_of_its_own(copy):
    copy.add("S9", "Photo 1", cameras=["55011271"], surplus=None)
    extract(copy.root / "S9_Photo_1.55011271", [1, 6, 11])
    sequence = read(copy, "S9/Photo 1/55011271")
    assert (sequence.frame.tolist(), sequence.fps) == ([0, 1, 2], 10.0)
    pose = copy.truth("S9", "Photo 1", "55011271")[0][[0, 5, 10]]
    assert np.abs(sequence.pose_3d - pose[:, OF_32]).max() < 1e-5
    assert sequence.columns()["time_s"] == pytest.approx([0, 0.1, 0.2])
    some = read(copy, "S9/Photo 1/55011271", every=2)
    assert some.frame.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("numbers", "named"), [([1, 2, 4], 4), ([6, 11, 16], 6), ([1, 6, 7], 7), ([0, 1], 0)]
)
def test_gaps_between_pictures_are_refused(copy, numbers, named):
    copy.add("S9", "Photo 1", cameras=["55011271"], surplus=None)
    extract(copy.root / "S9_Photo_1.55011271", numbers)
    with pytest.raises(DataError, match="pictures are missing") as caught:
        read(copy, "S9/Photo 1/55011271")
    assert caught.value.where.endswith(f"_{named:06d}.jpg")


def test_the_video_is_preferred_to_pictures(copy):
    copy.add("S9", "Photo 1", cameras=["55011271"])
    extract(copy.root / "S9_Photo_1.55011271", [1, 6, 11])
    assert read(copy, "S9/Photo 1/55011271").fps == 50.0


# --- sizes


def test_pictures_have_the_size_of_their_subject_and_camera(copy):
    for subject in ("S1", "S7"):
        copy.add(subject, "Directions 1", kinds=["D3_Positions"], surplus=None)
    mmpose = DatasetOptions(h36m_sizes="mmpose")
    heights = {
        (subject, options.h36m_sizes): [
            read(copy, f"{subject}/Directions 1/{c}", options=options).cameras[0].image_wh[1]
            for c in copy.cameras
        ]
        for subject in ("S1", "S7")
        for options in (DEFAULT, mmpose)
    }
    usual = [1002, 1000, 1000, 1002]
    assert heights.pop(("S7", "true")) == [1002] * 4
    assert list(heights.values()) == [usual] * 3


def test_the_videos_own_size_counts_unless_mmposes_is_asked_for(copy):
    copy.add("S9", "Walking", cameras=["55011271"])
    path = copy.root / "S9/Videos/Walking.55011271.mp4"
    copy.write_video(path, (1000, 1002), 13)
    assert read(copy, "S9/Walking/55011271").cameras[0].image_wh == (1000, 1002)
    mmpose = DatasetOptions(h36m_sizes="mmpose")
    sequence = read(copy, "S9/Walking/55011271", options=mmpose)
    assert sequence.cameras[0].image_wh == (1000, 1000)


def test_scaled_videos_are_refused(copy):
    copy.add("S9", "Walking", cameras=["55011271"])
    path = copy.root / "S9/Videos/Walking.55011271.mp4"
    copy.write_video(path, (500, 500), 13)
    with pytest.raises(DataError, match="500 × 500") as caught:
        read(copy, "S9/Walking/55011271")
    assert caught.value.where == str(path)


# --- known defects


@pytest.mark.parametrize("take", ["Greeting", "SittingDown 1", "Waiting 1", "Greeting 1"])
def test_s9s_shift_is_taken_back_on_demand(copy, take):
    copy.add("S9", take, cameras=["55011271"], surplus=None)
    name, option = f"S9/{take}/55011271", DatasetOptions(h36m_s9_shift=True)
    before, after = read(copy, name), read(copy, name, options=option)
    camera = before.cameras[0]
    moved = camera.to_world(after.pose_3d) - camera.to_world(before.pose_3d)
    shift_m = 0.0 if take == "Greeting 1" else -0.2
    assert np.abs(moved - [shift_m, 0, 0]).max() < 1e-6
    assert after.reprojection_px().max() < 1e-3
    if shift_m:
        assert np.abs(after.keypoints_2d - before.keypoints_2d).max() > 10
    for positions in ("mono", "world"):
        options = DatasetOptions(h36m_s9_shift=True, h36m_positions=positions)
        assert np.abs(read(copy, name, options=options).pose_3d - after.pose_3d).max() < 1e-5


def test_other_subjects_are_not_shifted(copy):
    copy.add("S11", "Greeting", cameras=["55011271"], surplus=None)
    options = DatasetOptions(h36m_s9_shift=True)
    name = "S11/Greeting/55011271"
    assert (read(copy, name).pose_3d == read(copy, name, options=options).pose_3d).all()


# --- files that are not what they should be


def test_an_empty_folder_says_what_belongs_there(copy, tmp_path):
    for folder in (copy.root, tmp_path / "nothing"):
        with pytest.raises(MissingDataError, match="no 3D files") as caught:
            list_sequences(folder, DEFAULT)
        assert "D3_Positions_mono" in caught.value.hint


def test_archives_have_to_be_unpacked(copy):
    (copy.root / "s1").mkdir()
    (copy.root / "s1/D3_Positions_mono.tgz").write_bytes(b"")
    with pytest.raises(MissingDataError, match=r"not unpacked, such as D3_Positions_mono\.tgz"):
        list_sequences(copy.root, DEFAULT)


def break_cdf(copy, path: Path, how: str) -> None:
    content = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "no CDF":
        path.write_bytes(b"<html>Please log in</html>" * 100)
    elif how == "flipped":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes(99) + content[middle + 99 :])
    else:
        path.unlink()
        pose = np.zeros((12, 51 if how == "17 joints" else 96))
        copy.write_cdf(path, pose, "Angles" if how == "no Pose" else "Pose")


@pytest.mark.parametrize("how", ["empty", "cut", "no CDF", "flipped", "17 joints", "no Pose"])
def test_a_broken_file_is_named(copy, how):
    copy.add("S9", "Directions", cameras=["55011271"])
    path = copy.root / "S9/MyPoseFeatures/D3_Positions_mono/Directions.55011271.cdf"
    break_cdf(copy, path, how)
    with pytest.raises(BrokenFileError) as caught:
        read(copy, "S9/Directions/55011271")
    assert caught.value.where == str(path)
    assert "again" in caught.value.hint


def test_a_video_without_frames_is_named(copy):
    copy.add("S9", "Directions", cameras=["55011271"])
    path = copy.root / "S9/Videos/Directions.55011271.mp4"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(BrokenFileError) as caught:
        read(copy, "S9/Directions/55011271")
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("folder", "other"),
    [
        ("S9/MyPoseFeatures/D3_Positions_mono", "extracted/S9/D3_Positions_mono"),
        ("S9/MyPoseFeatures/D2_Positions", "extracted/S9/D2_Positions"),
        ("S9/Videos", "extracted/S9/Videos"),
    ],
)
def test_two_files_that_claim_one_take_are_both_named(copy, folder, other):
    copy.add("S9", "Directions", cameras=["55011271"])
    shutil.copytree(copy.root / folder, copy.root / other)
    with pytest.raises(DataError, match="2 files claim the same take") as caught:
        read(copy, "S9/Directions/55011271")
    assert str(copy.root / folder) in caught.value.what
    assert str(copy.root / other) in caught.value.what


def test_two_spellings_of_one_take_are_a_double(copy):
    copy.add("S1", "TakingPhoto 1", cameras=["55011271"])
    copy.add("S1", "Photo 1", cameras=["55011271"])
    with pytest.raises(DataError, match=r"TakingPhoto 1.*Photo 1|Photo 1.*TakingPhoto 1"):
        read(copy, "S1/Photo 1/55011271")


def test_2d_and_3d_of_different_lengths_are_refused(copy):
    copy.add("S9", "Directions", cameras=["55011271"])
    path = copy.root / "S9/MyPoseFeatures/D2_Positions/Directions.55011271.cdf"
    path.unlink()
    copy.write_cdf(path, copy.truth("S9", "Directions", "55011271", 9)[1].reshape(9, 64))
    with pytest.raises(DataError, match="9 frames of 2D, but 12 of 3D") as caught:
        read(copy, "S9/Directions/55011271")
    assert caught.value.where == str(path)


@pytest.mark.parametrize(("package", "extra"), [("cdflib", "h36m"), ("h5py", "3dhp")])
def test_without_the_package_the_way_to_it_is_named(copy, package, extra, monkeypatch):
    copy.add("S9", "Directions", kinds=["D3_Positions"])
    if package == "h5py":
        path = copy.root / "S9/MyPoses/3D_positions/Directions.h5"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        shutil.rmtree(copy.root / "S9/MyPoseFeatures")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=package) as caught:
        read(copy, "S9/Directions/55011271")
    assert caught.value.hint == f'pip install "auglift[{extra}]"'
