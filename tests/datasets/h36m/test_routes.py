"""One fixture by three ways: raw files, MMPose's npz, VideoPose3D's npz; and out of archives."""

from __future__ import annotations

import shutil
import tarfile

import numpy as np
import pytest

from auglift.preprocess import PreprocessConfig, preprocess
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace


@pytest.fixture(scope="module")
def raw(whole, tmp_path_factory):
    """The workspace after preprocess, MMPose's form included."""
    root = tmp_path_factory.mktemp("raw")
    preprocess(PreprocessConfig(root=root, dataset="h36m", data=whole.root, format="mmpose"))
    return root


def table(root, split):
    return read_table(Workspace(root).annotations("h36m", split), "annotations")


def assert_same(found, expected, columns):
    for name in ("sequence", "person", "frame", *columns):
        assert len(found[name]) == len(expected[name])
    assert found["sequence"].tolist() == expected["sequence"].tolist()
    np.testing.assert_array_equal(found["frame"], expected["frame"])
    np.testing.assert_allclose(found["pose_3d"], expected["pose_3d"], atol=1e-5)
    np.testing.assert_allclose(found["keypoints_2d"], expected["keypoints_2d"], atol=0.01)
    for name in columns:
        if expected[name].dtype == object:
            assert found[name].tolist() == expected[name].tolist()
        else:
            np.testing.assert_allclose(found[name], expected[name], atol=1e-6)


def test_by_mmposes_npz_that_lies_in_the_datasets_folder(raw, tmp_path):
    """What MMPose's converter leaves in h36m_data is found by itself."""
    source = raw / "auglift_data" / "h36m" / "mmpose"
    target = tmp_path / "h36m_data" / "annotation_body3d" / "fps50"
    shutil.copytree(source, target)
    result = preprocess(PreprocessConfig(root=tmp_path))
    assert [split.split for split in result.splits] == ["test", "train"]
    assert all(split.reprojection_median_px < 0.01 for split in result.splits)
    for split in ("train", "test"):
        cameras = ("intrinsics", "rotation", "translation", "image_wh")
        assert_same(
            table(tmp_path, split),
            table(raw, split),
            ("action", "subject", "camera_name", "time_s", "visible", *cameras),
        )
    again = preprocess(PreprocessConfig(root=tmp_path))
    assert again.done_before


def test_by_videopose3ds_npz(whole, raw, tmp_path):
    positions = {}
    for subject, take in whole.lengths:
        name = take.replace("TakingPhoto", "Photo")
        world = whole.walk_mm(subject, take, 12) / 1000
        positions.setdefault(subject, {})[name] = world.astype(np.float32)
    path = tmp_path / "data_3d_h36m.npz"
    np.savez_compressed(path, positions_3d=np.array(positions, dtype=object))
    preprocess(PreprocessConfig(root=tmp_path, files=(path,)))
    for split in ("train", "test"):
        found, expected = table(tmp_path, split), table(raw, split)
        # The corrupt video of S11 is no matter to a file without videos.
        both = np.isin(found["sequence"], expected.unique("sequence"))
        assert_same(found.select(both), expected, ("action", "intrinsics", "rotation", "image_wh"))


def test_out_of_archives(whole, raw, tmp_path):
    """As downloaded: one archive per kind of file, which unpack to the same folder names."""
    data = tmp_path / "h36m_data"
    data.mkdir()
    for kind in ("D3_Positions_mono", "D2_Positions"):
        with tarfile.open(data / f"Poses_{kind}_S9.tgz", "w:gz") as archive:
            archive.add(whole.root / f"S9/MyPoseFeatures/{kind}", f"S9/MyPoseFeatures/{kind}")
    with tarfile.open(data / "Videos_S9.tgz", "w:gz") as archive:
        archive.add(whole.root / "S9/Videos", "S9/Videos")
    preprocess(PreprocessConfig(root=tmp_path, dataset="h36m", unpack=True))
    expected = table(raw, "test")
    mine = expected.select(expected["subject"] == "S9")
    assert_same(table(tmp_path, "test"), mine, ("action", "intrinsics", "rotation", "image_wh"))
    assert (data / "Videos_S9" / "S9" / "Videos").is_dir()


def test_a_single_archive_as_the_data(whole, raw, tmp_path):
    with tarfile.open(tmp_path / "s1.tar.gz", "w:gz") as archive:
        archive.add(whole.root / "S1", "S1")
    preprocess(PreprocessConfig(root=tmp_path, dataset="h36m", data=tmp_path / "s1.tar.gz"))
    assert_same(table(tmp_path, "train"), table(raw, "train"), ("action",))
