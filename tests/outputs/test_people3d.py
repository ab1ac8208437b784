"""What is written is what was lifted, for any JSON or numpy reader; the unknown is null or NaN."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglift.geometry.skeleton import H36M_17
from auglift.outputs.people3d import (
    FORMAT,
    VERSION,
    LiftedPeople,
    LiftedPerson,
    write_json,
    write_npz,
)

N = H36M_17.n_joints
ROWS = ("frame", "time_s", "detected", "pose_3d", "joints_2d", "confidence")


def a_person(person: int, n_frames: int, first: int = 0) -> LiftedPerson:
    rng = np.random.default_rng(person)
    frame = np.arange(first, first + n_frames)
    return LiftedPerson(
        person=person,
        frame=frame,
        time_s=frame / 30.0,
        detected=frame % 3 != 1,
        pose_3d=rng.normal(0, 0.4, (n_frames, N, 3)).astype(np.float32),
        joints_2d=rng.uniform(0, 600, (n_frames, N, 2)),
        confidence=rng.uniform(0, 1, (n_frames, N)).astype(np.float32),
    )


def a_clip(*people: LiftedPerson) -> LiftedPeople:
    return LiftedPeople("çlip.mp4", H36M_17, (640, 480), 30.0, "run/best", list(people))


def with_a_hole(person: LiftedPerson) -> LiftedPerson:
    for name in ("pose_3d", "joints_2d", "confidence"):
        getattr(person, name)[1] = np.nan
    return person


def read_strictly(path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_json_says_what_its_numbers_mean(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", a_clip(a_person(0, 2)))
    document = read_strictly(tmp_path / "a.json")
    assert (document["format"], document["version"]) == (FORMAT, VERSION)
    assert document["units"] == "metres"
    assert document["axes"].startswith("camera: x right, y down, z forward")
    assert document["source"] == "çlip.mp4"
    assert document["image_wh"] == [640, 480]
    assert document["skeleton"]["joints"] == list(H36M_17.joints)
    assert document["skeleton"]["parents"] == list(H36M_17.parents)


def test_json_reads_back_within_its_rounding(tmp_path: Path) -> None:
    people = [a_person(0, 4), a_person(3, 2, first=7)]
    write_json(tmp_path / "a.json", a_clip(*people))
    found = read_strictly(tmp_path / "a.json")["people"]
    assert [one["person"] for one in found] == [0, 3]
    tolerances = {"time_s": 1e-6, "pose_3d": 1e-5, "joints_2d": 1e-2, "confidence": 1e-4}
    for one, person in zip(found, people, strict=True):
        assert one["frame"] == person.frame.tolist()
        assert one["detected"] == person.detected.tolist()
        for name, tolerance in tolerances.items():
            np.testing.assert_allclose(one[name], getattr(person, name), rtol=0, atol=tolerance)


def test_what_is_not_known_is_null_in_json_and_nothing_else_is(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", a_clip(with_a_hole(a_person(0, 3))))
    (person,) = read_strictly(tmp_path / "a.json")["people"]
    assert person["pose_3d"][1] == [[None] * 3] * N
    assert person["joints_2d"][1] == [[None] * 2] * N
    assert person["confidence"][1] == [None] * N
    assert np.isfinite(np.array([person["pose_3d"][0], person["pose_3d"][2]], float)).all()
    assert None not in person["time_s"]


def test_npz_reads_back_without_pickle(tmp_path: Path) -> None:
    people = [with_a_hole(a_person(0, 4)), a_person(3, 2, first=7)]
    write_npz(tmp_path / "a.npz", a_clip(*people))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert set(file) == {*ROWS, "person", "about"}
        np.testing.assert_array_equal(file["person"], [0, 0, 0, 0, 3, 3])
        for name in ROWS:
            expected = np.concatenate([getattr(person, name) for person in people])
            np.testing.assert_array_equal(file[name], expected)
        about = json.loads(str(file["about"]))
    assert about["format"] == FORMAT
    assert about["skeleton"]["name"] == "h36m_17"
    assert about["source"] == "çlip.mp4"


def test_nobody_is_a_file_without_rows_and_not_without_columns(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", a_clip())
    write_json(tmp_path / "a.json", a_clip())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert {name: file[name].shape for name in (*ROWS, "person")} == {
            "frame": (0,), "time_s": (0,), "detected": (0,), "pose_3d": (0, N, 3),
            "joints_2d": (0, N, 2), "confidence": (0, N), "person": (0,),
        }  # fmt: skip
        assert file["person"].dtype.kind == file["frame"].dtype.kind == "i"
    assert read_strictly(tmp_path / "a.json")["people"] == []


def test_the_same_people_give_the_same_numbers_in_both_files(tmp_path: Path) -> None:
    lifted = a_clip(a_person(0, 3))
    write_json(tmp_path / "a.json", lifted)
    write_npz(tmp_path / "a.npz", lifted)
    (person,) = read_strictly(tmp_path / "a.json")["people"]
    with np.load(tmp_path / "a.npz") as file:
        np.testing.assert_allclose(person["pose_3d"], file["pose_3d"], atol=1e-5)
    assert zipfile.is_zipfile(tmp_path / "a.npz")


def test_a_row_is_lifted_when_all_its_joints_are() -> None:
    np.testing.assert_array_equal(with_a_hole(a_person(0, 3)).is_lifted, [True, False, True])
