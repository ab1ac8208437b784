"""TRC files give the poses back to a reader that knows only the format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auglift.geometry.ground import World, level_world
from auglift.geometry.skeleton import HALPE_26, MPI3DHP_28, SKELETONS
from auglift.outputs.marker_names import marker_names
from auglift.outputs.motion import motions
from auglift.outputs.trc import render_trc, write_trc

GOLDEN = Path(__file__).parents[1] / "golden"


def read_trc(path: Path) -> tuple[dict[str, str], list[str], np.ndarray, np.ndarray]:
    """Header, marker names, times (T,) and places (T, M, 3), as the format's description has it."""
    lines = path.read_text().split("\n")
    header = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    n_markers = int(header["NumMarkers"])
    markers = lines[3].split("\t")[2::3][:n_markers]
    labels = lines[4].split("\t")[2:]
    assert labels == [f"{a}{i}" for i in range(1, n_markers + 1) for a in "XYZ"]
    assert lines[5] == ""
    rows = [line.split("\t") for line in lines[6:] if line]
    assert [int(row[0]) for row in rows] == list(range(1, int(header["NumFrames"]) + 1))
    cells = [[float(cell) if cell else np.nan for cell in row[2:]] for row in rows]
    times = np.array([float(row[1]) for row in rows])
    return header, markers, times, np.array(cells).reshape(len(rows), n_markers, 3)


def test_the_file_is_the_golden_one(tmp_path, walk, lifted):
    (path,) = write_trc(tmp_path / "walk.trc", lifted(walk))
    assert path.name == "walk_person0.trc"
    assert path.read_text() == (GOLDEN / "walk.trc").read_text()


def test_poses_come_back_in_metres_with_y_up(tmp_path, walk, lifted):
    (path,) = write_trc(tmp_path / "a.trc", lifted(walk, start=20))
    header, markers, times, places = read_trc(path)
    assert (header["Units"], float(header["DataRate"])) == ("m", 10.0)
    np.testing.assert_allclose(times, 2.0 + np.arange(6) / 10, atol=1e-6)
    np.testing.assert_allclose(places, walk * (1, -1, -1), atol=1e-5)
    up = places[:, markers.index("Neck"), 1] - places[:, markers.index("LAnkle"), 1]
    assert (up > 1).all()


def test_y_is_up_whatever_the_world_says(tmp_path, walk, lifted):
    paths = [
        write_trc(tmp_path / f"{up}.trc", lifted(walk, world=level_world(up=up)))[0] for up in "yz"
    ]
    for found in zip(*(read_trc(path)[2:] for path in paths), strict=True):
        np.testing.assert_allclose(*found, atol=1e-5)


def test_gaps_are_blank_and_nothing_is_nan(tmp_path, walk, lifted):
    walk[2] = np.nan
    (path,) = write_trc(tmp_path / "a.trc", lifted(walk))
    assert "nan" not in path.read_text().lower()
    *_, places = read_trc(path)
    np.testing.assert_array_equal(np.isnan(places).all(axis=(1, 2)), np.arange(6) == 2)
    np.testing.assert_allclose(places[3], walk[3] * (1, -1, -1), atol=1e-5)


def test_rows_before_the_first_pose_are_left_out_and_times_stay(tmp_path, walk, lifted):
    walk[[0, 5]] = np.nan
    *_, times, places = read_trc(write_trc(tmp_path / "a.trc", lifted(walk))[0])
    np.testing.assert_allclose(times, np.arange(1, 5) / 10, atol=1e-6)
    assert np.isfinite(places).all()


def test_everybody_has_a_file_and_who_has_no_pose_none(tmp_path, walk, lifted):
    paths = write_trc(tmp_path / "a.trc", lifted(walk, np.full_like(walk, np.nan), walk + 1.0))
    assert [path.name for path in paths] == ["a_person0.trc", "a_person2.trc"]
    assert write_trc(tmp_path / "b.trc", lifted()) == []


def test_a_long_clip_keeps_its_rate_within_what_the_header_says(walk, lifted):
    (motion,) = motions(lifted(np.tile(walk, (500, 1, 1)), fps=30000 / 1001))
    header = render_trc(motion, "a.trc").split("\n")[2].split("\t")
    assert float(header[0]) == pytest.approx(30000 / 1001, abs=1e-4)


def test_markers_have_the_names_of_pose2sim():
    assert marker_names(HALPE_26)[-9:] == (
        "Head", "Neck", "Hip", "LBigToe", "RBigToe", "LSmallToe", "RSmallToe", "LHeel", "RHeel",
    )  # fmt: skip
    assert marker_names(MPI3DHP_28)[6:8] == ("Head", "HeadTop")


@pytest.mark.parametrize("name", SKELETONS)
def test_no_two_markers_share_a_name_or_break_a_line(name):
    names = marker_names(SKELETONS[name])
    assert len(set(names)) == SKELETONS[name].n_joints
    assert not any(set(marker) & set("\t\n */") for marker in names)


def test_default_world_only_turns_the_axes():
    np.testing.assert_array_equal(World().from_camera([1.0, 2.0, 3.0]), [1.0, -2.0, -3.0])
