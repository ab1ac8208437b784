"""annot.mat and camera.calibration that are damaged, of another format, or oddly written."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io

from auglift.datasets import mpi3dhp, mpi3dhp_train
from auglift.datasets.mpi3dhp_cameras import read_calibration
from auglift.datasets.options import DatasetOptions
from auglift.errors import BrokenFileError, MissingDataError

OPTIONS = DatasetOptions()


def find(folder, name):
    [sequence] = [s for s in mpi3dhp.list_sequences(folder, OPTIONS) if s.name == name]
    return sequence


def read(folder, name="3dhp/S1/Seq2/0"):
    return mpi3dhp.read_sequence(folder, find(folder, name), 1, OPTIONS)


@pytest.fixture
def take(mine):
    return mine / "S1/Seq2"


# -------------------------------------------------------------------------------- annot.mat


def test_a_file_is_read_once_for_its_cameras_and_again_when_it_changes(take, mine, writers):
    mpi3dhp_train._read_cells.cache_clear()
    for name in ("3dhp/S1/Seq2/0", "3dhp/S1/Seq2/1", "3dhp/S1/Seq2/5"):
        read(mine, name)
    assert mpi3dhp_train._read_cells.cache_info().misses == 1
    writers.write_annot_mat(take / "annot.mat", 5)
    assert len(read(mine)) == 5


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 0.9, 0.99])
def test_a_truncated_annot_mat_is_refused(take, mine, share):
    sequence = find(mine, "3dhp/S1/Seq2/0")
    content = (take / "annot.mat").read_bytes()
    (take / "annot.mat").write_bytes(content[: int(share * len(content))])
    with pytest.raises(BrokenFileError, match=r"annot\.mat"):
        mpi3dhp.read_sequence(mine, sequence, 1, OPTIONS)


def test_an_annot_mat_of_another_format_is_refused(take, mine, writers):
    writers.write_annot_data(take / "annot.mat", 5, [1], writers.CAMERAS[0])  # v7.3
    with pytest.raises(BrokenFileError, match="HDF"):
        read(mine)


def test_an_annot_mat_that_lacks_something_is_refused(take, mine):
    content = scipy.io.loadmat(take / "annot.mat")
    wanted = {name: content[name] for name in ("annot2", "annot3", "cameras")}
    scipy.io.savemat(take / "annot.mat", {k: v for k, v in wanted.items() if k != "annot2"})
    with pytest.raises(BrokenFileError, match="annot2"):
        read(mine)
    wanted["annot3"][0, 0] = wanted["annot3"][0, 0][:, :83]
    scipy.io.savemat(take / "annot.mat", wanted)
    with pytest.raises(BrokenFileError, match="reshape"):
        read(mine)
    assert len(read(mine, "3dhp/S1/Seq2/1")) == 6


def test_joints_without_numbers_are_not_vouched_for(take, mine):
    content = scipy.io.loadmat(take / "annot.mat")
    content["annot3"][0, 0][2, 3 * 24 : 3 * 25] = np.nan  # the right knee
    scipy.io.savemat(
        take / "annot.mat", {name: content[name] for name in ("annot2", "annot3", "cameras")}
    )
    sequence = read(mine)
    hidden = np.argwhere(~sequence.visible).tolist()
    assert hidden == [[2, sequence.skeleton.index("right_knee")]]


# --------------------------------------------------------------------- camera.calibration


def test_a_line_without_its_last_blank_keeps_its_last_number(take, mine):
    # Readers that cut at columns rely on the blank; translations end before `0 0 0 1`.
    path = take / "camera.calibration"
    before = read_calibration(path, "3")
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()))
    after = read_calibration(path, "3")
    assert np.array_equal(before.intrinsics, after.intrinsics)
    assert np.array_equal(before.translation, after.translation)


def test_cameras_are_known_by_name_not_by_line(take, mine, writers):
    path = take / "camera.calibration"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[8:], *lines[1:8]]))  # the first camera last
    assert read_calibration(path, "0").focal_px.tolist() == [1497.5, 1496.5]
    assert read_calibration(path, "13").focal_px.tolist() == [1510.5, 1509.5]


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("name          0", "name          zero", "no camera 0"),
        ("intrinsic   1497.5 ", "intrinsic   ", "15 numbers of 16"),
        ("intrinsic   1497.5 ", "intrinsic   nan ", "16 numbers of 16"),
        ("intrinsic   1497.5 ", "intrinsic   f ", "could not convert"),
        ("extrinsic   ", "extrinsic   9", "no rotation"),
    ],
)
def test_a_broken_calibration_is_refused(take, mine, old, new, match):
    path = take / "camera.calibration"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(BrokenFileError, match=match):
        read(mine)


def test_a_missing_calibration_is_refused(take, mine):
    (take / "camera.calibration").unlink()
    with pytest.raises(MissingDataError, match="calibration"):
        read(mine)
