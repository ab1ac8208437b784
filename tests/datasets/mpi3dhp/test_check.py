"""What `--check` says of a copy of 3DHP."""

from __future__ import annotations

import shutil
import sys

import pytest

from auglift.datasets import mpi3dhp
from auglift.datasets.mpi3dhp_check import TEST_FRAMES
from auglift.datasets.mpi3dhp_train import FRAMES_AND_FPS
from auglift.datasets.options import DatasetOptions


@pytest.fixture
def findings():
    def check(folder, *statuses, options=None):
        lines = mpi3dhp.check(folder, options or DatasetOptions())
        return [line for line in lines if line.status in statuses]

    return check


@pytest.fixture(autouse=True)
def small_tables(monkeypatch):
    """The data set's tables, as if its takes were as short as the fixture's."""
    monkeypatch.setitem(FRAMES_AND_FPS, ("S1", "Seq2"), (6, 50))
    monkeypatch.setitem(FRAMES_AND_FPS, ("S6", "Seq1"), (6, 25))
    monkeypatch.setitem(TEST_FRAMES, "TS1", 6)
    monkeypatch.setitem(TEST_FRAMES, "TS5", 6)


def test_the_table_of_test_frames(monkeypatch):
    monkeypatch.undo()
    assert sum(TEST_FRAMES.values()) == 24_888


@pytest.mark.parametrize("pose", ["annot3", "univ_annot3"])
def test_a_good_copy(whole, findings, pose):
    options = DatasetOptions(mpi3dhp_pose=pose)
    assert not findings(whole, "wrong", "note", options=options)
    ok = [line.what for line in findings(whole, "ok", options=options)]
    assert "S1/Seq2: pictures of cameras 0, 1, 2, 4, 5, 6, 7, 8" in ok
    assert "TS5: 6 frames, 4 of them valid" in ok
    assert any(what.startswith("3dhp/S6/Seq1/0: 6 rows; projected 3D lies 0.0") for what in ok)
    missing = {line.what for line in findings(whole, "missing", options=options)}
    assert len(missing) == 14 + 4
    assert {"S1/Seq1: no annotations", "TS6: no annotations"} < missing


def test_missing_videos_and_their_archive_are_named(mine, findings):
    take = mine / "S1/Seq2"
    (take / "imageSequence/video_1.avi").unlink()
    (take / "imageSequence/vnect_cameras.zip").write_bytes(b"PK")
    what = {line.what for line in findings(mine, "missing")}
    assert "S1/Seq2: no pictures of cameras 1" in what
    [note] = findings(mine, "note")
    assert note.where.endswith("vnect_cameras.zip")
    shutil.rmtree(take / "imageSequence")
    what = {line.what for line in findings(mine, "missing")}
    assert "S1/Seq2: pictures of cameras none" in what


def test_a_short_video_is_wrong_but_where_it_is_known(tmp_path, writers, findings, monkeypatch):
    for subject, part in (("S6", "Seq2"), ("S4", "Seq1")):
        folder = tmp_path / subject / part
        writers.write_take(folder, 30, 0, cameras=())
        writers.write_avi(folder / "imageSequence/video_2.avi", 20)
        monkeypatch.setitem(FRAMES_AND_FPS, (subject, part), (30, 25))
    [wrong] = findings(tmp_path, "wrong")
    [note] = findings(tmp_path, "note")
    assert "S4/Seq1/imageSequence/video_2.avi" in wrong.where
    assert "as is known" in note.what
    assert "S6/Seq2/imageSequence/video_2.avi" in note.where


def test_lengths_that_differ_from_the_tables(mine, findings, monkeypatch):
    monkeypatch.setitem(FRAMES_AND_FPS, ("S1", "Seq2"), (10, 50))
    monkeypatch.setitem(TEST_FRAMES, "TS5", 7)
    (mine / "mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set/TS5/imageSequence/img_000006.jpg").unlink()
    what = {line.what for line in findings(mine, "wrong")}
    assert "S1/Seq2: 8 annotated frames, but 10 in the data set's table" in what
    assert "TS5: 6 frames, but 7 in the data set's table" in what
    assert "TS5: 5 pictures for 6 frames" in what


def test_broken_files_are_named_and_the_rest_is_looked_at(mine, findings):
    take = mine / "S1/Seq2"
    (take / "annot.mat").write_bytes(b"nothing")
    (take / "imageSequence/video_5.avi").write_bytes(b"nothing")
    wrong = findings(mine, "wrong")
    assert {line.where for line in wrong} == {
        str(take / "annot.mat"),
        str(take / "imageSequence/video_5.avi"),
    }
    assert any("TS5" in line.what for line in findings(mine, "ok"))


def test_a_wrong_camera_is_noticed(mine, findings):
    path = mine / "S1/Seq2/camera.calibration"
    path.write_text(path.read_text().replace(" 1024 ", " 1124 ", 1))
    [line] = findings(mine, "wrong")
    assert line.what.startswith("3dhp/S1/Seq2/0: ")


def test_two_copies_of_a_take(mine, findings):
    shutil.copytree(mine / "S1", mine / "train/S1")
    wrong = [line.what for line in findings(mine, "wrong")]
    assert "S1/Seq2: 2 folders claim it" in wrong


def test_without_h5py_the_extra_is_named(mine, findings, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    what = [line.what for line in findings(mine, "missing")]
    assert any("auglift[3dhp]" in line for line in what)
