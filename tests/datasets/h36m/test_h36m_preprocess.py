"""Human3.6M through the command: the look before, the tables, and files that are broken."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.datasets.h36m import check
from auglift.datasets.options import DatasetOptions
from auglift.preprocess import PreprocessConfig, preprocess
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace

DEFAULT = DatasetOptions()


@pytest.fixture
def root(whole, tmp_path):
    """A workspace with the whole fixture."""
    shutil.copytree(whole.root, tmp_path / "h36m_data", dirs_exist_ok=True)
    return tmp_path


def lines(folder, *statuses):
    return [line for line in check(folder, DEFAULT) if line.status in statuses]


# --- check


def test_check_counts_what_is_there_and_lists_what_is_missing(whole):
    text = {line.what: line for line in check(whole.root, DEFAULT)}
    assert "no metadata.xml: cameras and sizes are the built-in ones" in text
    assert "S1: 8 of 120 sequences have 3D, 8 2D, 8 a video, 0 pictures" in text
    assert text["S5: no 3D"].status == "missing"
    assert text["S9/Directions: no 3D"].status == "missing"
    absent = text["S11/Directions: no video or pictures of 54138969, as in most downloads"]
    assert absent.status == "missing"
    assert sum("no 3D" in what for what in text) == (90 - 5) + 4


def test_check_says_in_one_line_that_there_is_nothing_to_see(copy):
    copy.add("S9", "Directions 1", cameras=["55011271"], kinds=["D3_Positions_mono"], surplus=None)
    missing = [line.what for line in lines(copy.root, "missing")]
    assert "S9/Directions 1: no 3D of 54138969, 58860488, 60457274" in missing
    assert [what for what in missing if "pictures" in what] == ["S9: no videos or pictures"]


def test_check_compares_lengths_with_the_datasets_table(whole, copy):
    wrong = lines(whole.root, "wrong")
    assert [line.what for line in wrong if "S9/Waiting 1/55011271" in line.what] == [
        "S9/Waiting 1/55011271: 12 frames of 3D, but 1612 in the dataset's table"
    ]
    copy.add("S9", "Photo 1")
    copy.add("S9", "Waiting 1", surplus=12)
    copy.write_metadata()
    assert lines(copy.root, "wrong") == []
    notes = [line.what for line in lines(copy.root, "note")]
    assert "S9/Waiting 1/55011271: 12 pictures more than annotated frames, as is known" in notes


def test_check_finds_what_looks_wrong(copy):
    copy.add("S9", "Directions 1", surplus=20)
    copy.add("S9", "Photo 1")
    copy.add("S9", "Walking 7")
    copy.write_metadata()
    videos, poses = copy.root / "S9/Videos", copy.root / "S9/MyPoseFeatures"
    copy.write_video(videos / "Photo 1.54138969.mp4", (1000, 1000), 13)
    copy.write_video(videos / "Photo 1.55011271.mp4", (640, 480), 13)
    copy.write_video(videos / "Photo 1.58860488.mp4", (1000, 1000), 5)
    (poses / "D3_Positions_mono/Photo 1.60457274.cdf").write_bytes(b"broken")
    shutil.copy(videos / "Photo 1.54138969.mp4", videos / "Photo 1.54138969.avi")
    wrong = {line.what: line.where for line in lines(copy.root, "wrong")}
    for what, where in {
        "S9/Directions 1/54138969: 20 pictures more than annotated frames": "Directions 1",
        "S9/Photo 1/54138969: 2 files claim it (video)": ".avi",
        "S9/Photo 1/54138969: pictures of 1000 × 1000, but 1000 × 1002 in": "Photo 1.54138969",
        "pictures of 640 × 480 pixels": "Photo 1.55011271.mp4",
        "S9/Photo 1/58860488: 5 pictures for 12 annotated frames": "Photo 1.58860488.mp4",
        "not readable as Human3.6M's poses": "Photo 1.60457274.cdf",
    }.items():
        [found] = [place for text, place in wrong.items() if text.startswith(what)]
        assert where in found
    assert len(wrong) == 6 + 3  # four videos of Directions 1 are too long
    notes = [line.what for line in lines(copy.root, "note")]
    assert sum("that the dataset's table does not have" in what for what in notes) == 4


def test_check_projects_one_take_of_each_camera(copy):
    copy.add("S9", "Directions 1")
    copy.add("S9", "Photo 1")
    copy.write_metadata()
    px = [line for line in check(copy.root, DEFAULT) if "projected 3D lies" in line.what]
    assert [line.status for line in px] == ["ok"] * 4
    assert all("lies 0.00 px" in line.what for line in px)
    mono = copy.root / "S9/MyPoseFeatures/D3_Positions_mono"
    for camera, other in (copy.cameras[:2], copy.cameras[1::-1]):  # two cameras are mixed up
        pose = copy.truth("S9", "Directions 1", other)[0] * 1000
        path = mono / f"Directions 1.{camera}.cdf"
        path.unlink()
        copy.write_cdf(path, pose.reshape(12, 96))
    wrong = [line.what for line in lines(copy.root, "wrong")]
    assert len(wrong) == 2
    assert all("projected 3D lies" in what for what in wrong)


# --- the tables


def test_the_command_writes_train_and_test(root, whole):
    arguments = ["preprocess", "--dataset", "h36m", "--root", str(root), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    test, train = json.loads(result.stdout)["splits"]
    assert (train["sequences"], train["rows"]) == (8, 8 * 12)
    assert (test["sequences"], test["rows"]) == (11, 11 * 12)
    assert train["reprojection_p99_px"] < 0.01
    table = read_table(Workspace(root).annotations("h36m", "train"), "annotations")
    assert table.metadata.distortion == "h36m"
    assert table.unique("action") == ["Directions", "Photo"]
    rows = table.select(table["sequence"] == "h36m/S1/Photo 1/58860488")
    pose, points = whole.truth("S1", "TakingPhoto 1", "58860488")
    assert np.abs(rows["pose_3d"][:, 16] - pose[:, 27]).max() < 1e-5
    assert np.abs(rows["keypoints_2d"][:, 16] - points[:, 27]).max() < 1e-3


def test_a_broken_file_stops_its_table_alone_and_the_rest_is_kept(root):
    path = root / "h36m_data/S9/MyPoseFeatures/D3_Positions_mono/Photo 1.58860488.cdf"
    content = path.read_bytes()
    path.write_bytes(content[:200])
    arguments = ["preprocess", "--dataset", "h36m", "--root", str(root)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 5
    assert path.name in result.stderr
    workspace = Workspace(root)
    assert workspace.splits("h36m", "annotations") == ["train"]
    result = CliRunner().invoke(app, [*arguments, "--allow-incomplete"])
    assert result.exit_code == 0, result.output
    assert len(read_table(workspace.annotations("h36m", "test"), "annotations")) == 10 * 12
    path.write_bytes(content)
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert len(read_table(workspace.annotations("h36m", "test"), "annotations")) == 11 * 12


def test_processes_read_what_the_reader_has_listed(root, tmp_path):
    """What a reader's own listing knows of the files travels to the process that reads them."""
    alone = preprocess(PreprocessConfig(root=root, dataset="h36m", every=4))
    elsewhere = PreprocessConfig(
        root=tmp_path / "parallel", dataset="h36m", every=4, data=root / "h36m_data", workers=2
    )
    for one, other in zip(alone.splits, preprocess(elsewhere).splits, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()


def test_what_processes_have_to_say_is_said_as_everything_is(copy, capfd):
    copy.add("S9", "Photo 1", cameras=["54138969"], n_frames=30, surplus=-10)
    arguments = ["preprocess", "--dataset", "h36m", "--root", str(copy.root.parent)]
    arguments += ["--workers", "2"]
    loud = CliRunner().invoke(app, arguments)
    assert loud.exit_code == 0, loud.output
    assert loud.stderr.count("ends 10 frames before the") == 1
    quiet = CliRunner().invoke(app, [*arguments, "--overwrite", "--quiet"])
    assert quiet.exit_code == 0, quiet.output
    assert quiet.stderr == ""
    assert capfd.readouterr().err == ""  # past the command, by a process itself


def test_without_the_package_nothing_is_half_done(root, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cdflib", None)
    result = CliRunner().invoke(app, ["preprocess", "--dataset", "h36m", "--root", str(root)])
    assert result.exit_code == 4
    assert 'pip install "auglift[h36m]"' in result.stderr
