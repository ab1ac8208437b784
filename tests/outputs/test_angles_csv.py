"""The table of angles opens in any reader of CSV, with a row per person and frame."""

from __future__ import annotations

import csv
import io

import numpy as np

from auglift.geometry.angles import joint_angles, segment_lengths
from auglift.geometry.ground import World
from auglift.geometry.skeleton import H36M_17
from auglift.outputs.angles_csv import write_angles


def test_rows_hold_what_the_geometry_says(tmp_path, walk, lifted):
    holed = walk.copy()
    holed[2] = np.nan
    world = World(np.array([[1.0, 0, 0], [0, -0.8, 0.6], [0, -0.6, -0.8]]))
    write_angles(tmp_path / "a.csv", lifted(holed, walk, world=world))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text(encoding="utf-8"))))
    assert [(row["person"], row["frame"]) for row in rows][5:8] == [
        ("0", "5"), ("1", "0"), ("1", "1"),
    ]  # fmt: skip
    measured = [name for name in rows[0] if name.endswith(("_deg", "_m"))]
    assert all(rows[2][name] == "" for name in measured)
    assert (rows[2]["detected"], rows[3]["detected"]) == ("false", "true")
    up = np.array([0.0, -0.8, 0.6])
    for name, values in joint_angles(walk, H36M_17, up).items():
        assert abs(float(rows[7][f"{name}_deg"]) - values[1]) < 0.0051
    for name, values in segment_lengths(walk, H36M_17).items():
        assert abs(float(rows[7][f"{name}_m"]) - values[1]) < 0.000051


def test_nobody_is_a_header(tmp_path, lifted):
    write_angles(tmp_path / "a.csv", lifted())
    (header,) = (tmp_path / "a.csv").read_text().splitlines()
    assert header.startswith("person,frame,time_s,detected,left_hip_flexion_deg,")
    assert header.endswith(",right_foot_height_m,right_foot_contact")
