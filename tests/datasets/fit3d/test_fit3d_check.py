"""What `--check` says of a copy of Fit3D."""

from __future__ import annotations

import shutil

import pytest

from auglift.datasets import fit3d
from auglift.datasets.options import DatasetOptions


@pytest.fixture
def findings():
    def check(folder, *statuses):
        lines = fit3d.check(folder, DatasetOptions())
        return [line for line in lines if line.status in statuses]

    return check


def test_a_good_copy(whole, findings):
    assert not findings(whole, "wrong")
    ok = [line.what for line in findings(whole, "ok")]
    assert "s03: 2 exercises, 8 sequences, 8 videos" in ok
    assert "fit3d/s10/squat/65906101: 20 rows; 100.0% of the joints lie in the pictures" in ok
    missing = [line.what for line in findings(whole, "missing")]
    assert missing == [f"{name}: no 3D" for name in ("s04", "s05", "s07", "s08", "s09", "s11")]
    [note] = findings(whole, "note")
    assert note.what.startswith("s02: no 3D, as published")


def test_missing_files_are_named(mine, findings):
    (mine / "s03/videos/50591643/squat.mp4").unlink()
    (mine / "s03/camera_parameters/58860488/squat.json").unlink()
    missing = {line.what for line in findings(mine, "missing")}
    assert "s03/squat/50591643: no video" in missing
    assert "s03/squat/58860488: no camera parameters" in missing


def test_broken_and_short_files_are_named(mine, writers, findings):
    (mine / "s03/joints3d_25/squat.json").write_text("{")
    (mine / "s10/videos/60457274/squat.mp4").write_bytes(b"no video")
    writers.write_mp4(mine / "s10/videos/58860488/warmup_1.mp4", 11)
    wrong = findings(mine, "wrong")
    assert any("joints3d_25/squat.json" in line.where for line in wrong)
    assert any("60457274/squat.mp4" in line.where for line in wrong)
    assert "s10/warmup_1/58860488: 11 pictures for 20 poses" in {line.what for line in wrong}


def test_a_wrong_camera_is_noticed(mine, writers, findings):
    parameters = writers.camera_parameters("50591643")
    rows = parameters["extrinsics"]["R"]
    parameters["extrinsics"]["R"] = [list(column) for column in zip(*rows, strict=True)]
    writers.write_json(mine / "s03/camera_parameters/50591643/squat.json", parameters)
    [line] = findings(mine, "wrong")
    assert line.what.startswith("fit3d/s03/squat/50591643: ")


def test_two_copies_of_a_subject(mine, findings):
    shutil.copytree(mine / "s03", mine / "train/s03")
    [line] = findings(mine, "wrong")
    assert "2 folders claim it" in line.what
