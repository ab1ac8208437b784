"""C3D files give the poses back through ezc3d, and say which points are missing."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from auglift.errors import DataError, MissingExtraError
from auglift.geometry.ground import level_world
from auglift.outputs.c3d import MOST_FRAMES, write_c3d


def test_poses_labels_rate_and_gaps_come_back(tmp_path, walk, lifted):
    ezc3d = pytest.importorskip("ezc3d", reason="the extra c3d is not installed")
    holed = walk.copy()
    holed[2] = np.nan
    paths = write_c3d(tmp_path / "a.c3d", lifted(holed, walk + 1.0, world=level_world(up="z")))
    assert [path.name for path in paths] == ["a_person0.c3d", "a_person1.c3d"]
    file = ezc3d.c3d(str(paths[0]))
    point = file["parameters"]["POINT"]
    assert point["LABELS"]["value"][:4] == ["Hip", "RHip", "RKnee", "RAnkle"]
    assert (point["RATE"]["value"][0], point["UNITS"]["value"]) == (10.0, ["m"])
    assert (point["X_SCREEN"]["value"], point["Y_SCREEN"]["value"]) == (["+X"], ["+Z"])
    places = file["data"]["points"][:3].transpose(2, 1, 0)
    z_up = np.stack([holed[..., 0], holed[..., 2], -holed[..., 1]], axis=-1)
    known = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(places[known], z_up[known], atol=1e-6)
    residuals = file["data"]["meta_points"]["residuals"][0]
    np.testing.assert_array_equal(residuals[:, 2], -1)
    np.testing.assert_array_equal(residuals[:, known], 0)


def test_more_frames_than_the_header_can_count_are_refused_before_anything_is_written(
    tmp_path, walk, lifted
):
    pytest.importorskip("ezc3d", reason="the extra c3d is not installed")
    endless = np.tile(walk[:1], (MOST_FRAMES + 1, 1, 1))
    with pytest.raises(DataError, match="65535 frames, not 65536"):
        write_c3d(tmp_path / "a.c3d", lifted(walk, endless))
    assert not list(tmp_path.iterdir())


def test_without_ezc3d_the_error_says_what_to_install(tmp_path, walk, lifted, monkeypatch):
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(MissingExtraError, match=r"auglift\[c3d\]"):
        write_c3d(tmp_path / "a.c3d", lifted(walk))
    assert not list(tmp_path.iterdir())
