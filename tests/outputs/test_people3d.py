"""What is written is what was lifted, for any JSON or numpy reader; the unknown is null or NaN."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from auglift.geometry.focal import pinhole
from auglift.geometry.ground import level_world
from auglift.geometry.skeleton import H36M_17
from auglift.outputs.people3d import (
    FORMAT,
    ROWS,
    VERSION,
    LiftedPeople,
    LiftedPerson,
    write_json,
    write_npz,
    write_parquet,
)

N = H36M_17.n_joints
KNOWN = ("frame", "time_s", "detected", "pose_3d", "joints_2d", "confidence")
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "people_json.md"


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
        for name in KNOWN:
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
            "root_m": (0, 3), "uncertainty_m": (0, N),
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


def placed(person: LiftedPerson) -> LiftedPerson:
    rng = np.random.default_rng(9)
    n_frames = len(person.frame)
    root = rng.normal(4.0, 1.0, (n_frames, 3))
    root[0] = np.nan
    return replace(person, root_m=root, uncertainty_m=rng.uniform(0.01, 0.1, (n_frames, N)))


def everything() -> LiftedPeople:
    """People with all that a document can hold, and one with as little as possible."""
    people = a_clip(placed(a_person(0, 3)), with_a_hole(a_person(1, 2)))
    return replace(
        people,
        camera=pinhole((640, 480), 800.0),
        world=level_world(up="z", how="a spirit level"),
        positions="depth",
    )


def test_a_place_is_known_where_pose_and_root_are() -> None:
    person = with_a_hole(placed(a_person(0, 3)))
    np.testing.assert_array_equal(person.is_placed, [False, False, True])
    assert not a_person(0, 3).is_placed.any()


def test_places_errors_camera_and_world_are_in_the_document(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", everything())
    document = read_strictly(tmp_path / "a.json")
    expected = everything().people[0]
    person, other = document["people"]
    assert person["root_m"][0] == [None] * 3
    np.testing.assert_allclose(person["root_m"][1:], expected.root_m[1:], atol=1e-5)
    np.testing.assert_allclose(person["uncertainty_m"], expected.uncertainty_m, atol=1e-4)
    assert other["root_m"] == [[None] * 3] * 2
    assert other["uncertainty_m"] == [[None] * N] * 2
    assert document["camera"]["intrinsics"] == [800, 800, 319.5, 239.5, 0, 0, 0, 0, 0]
    assert document["world"]["rotation"] == [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    assert (document["world"]["up"], document["world"]["how"]) == ("z", "a spirit level")


def test_world_of_the_document_takes_camera_axes_to_upright_ones(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", a_clip())
    world = read_strictly(tmp_path / "a.json")["world"]
    up = np.array(world["rotation"]) @ [0.0, -1.0, 0.0] + world["translation"]
    np.testing.assert_array_equal(up, [0.0, 1.0, 0.0])


def test_parquet_has_one_row_per_person_and_frame(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", everything())
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column_names == ["person", *ROWS]
    assert table["person"].to_pylist() == [0, 0, 0, 1, 1]
    first, second = everything().people
    for name in ("pose_3d", "joints_2d", "confidence"):
        found = table[name].combine_chunks().to_numpy_ndarray()
        expected = np.concatenate([getattr(first, name), getattr(second, name)])
        np.testing.assert_array_equal(found, expected)
    root = table["root_m"].combine_chunks().to_numpy_ndarray()
    np.testing.assert_array_equal(root[:3], first.root_m)
    assert np.isnan(root[3:]).all()
    assert json.loads(table.schema.metadata[b"about"])["world"]["up"] == "z"


def test_parquet_of_nobody_has_the_same_columns(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", a_clip())
    write_parquet(tmp_path / "b.parquet", a_clip(a_person(0, 1)))
    empty, one = (pq.read_table(tmp_path / f"{name}.parquet") for name in "ab")
    assert (len(empty), len(one)) == (0, 1)
    assert empty.column_names == one.column_names
    assert empty.schema.field("pose_3d").type.shape == [N, 3]


def documented() -> dict[str, str]:
    """Field → type, from the tables of the documentation."""
    rows = re.findall(r"^\| `([\w.\[\]]+)` \| ([^|]+) \|", DOCUMENTATION.read_text("utf-8"), re.M)
    fields = {name: kind.strip() for name, kind in rows}
    assert len(fields) == len(rows), "a field is documented twice"
    return fields


def fields_of(document: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Field → value, of a document and the documents in it; `people[]` stands for each person."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        name = above + key
        found[name] = value
        if isinstance(value, dict):
            found |= fields_of(value, f"{name}.")
        if key == "people":
            for person in value:
                assert set(person) == set(value[0])
                found |= fields_of(person, f"{name}[].")
    return found


def shape_of(value: Any) -> tuple[int, ...]:
    return np.shape(np.array(value, dtype=object))


def fits(value: Any, kind: str, n_frames: int) -> bool:
    sizes = {"T": n_frames, "J": N}
    lists = re.fullmatch(r"(number|integer|boolean|string)((?: or null)?) \(([\w, ]+?),?\)", kind)
    if lists:
        element, _, dims = lists.groups()
        shape = tuple(sizes.get(d.strip(), 0) or int(d) for d in dims.split(","))
        flat = np.array(value, dtype=object).ravel().tolist()
        nullable = " or null" in kind
        return shape_of(value) == shape and all(
            (nullable and one is None) or is_a(one, element) for one in flat
        )
    return any(is_a(value, one) for one in kind.split(" or "))


def is_a(value: Any, kind: str) -> bool:
    if kind == "null":
        return value is None
    if kind in ("integer", "number") and isinstance(value, bool):
        return False
    types = {
        "integer": int, "number": (int, float), "boolean": bool, "string": str, "object": dict,
        "objects": list,
    }  # fmt: skip
    return isinstance(value, types[kind])


@pytest.mark.parametrize("placed_too", [True, False])
def test_every_field_is_documented_with_its_shape_and_nothing_else_is(
    tmp_path: Path, placed_too: bool
) -> None:
    people = everything() if placed_too else a_clip(a_person(0, 3))
    write_json(tmp_path / "a.json", replace(people, people=people.people[:1]))
    found = fields_of(read_strictly(tmp_path / "a.json"))
    kinds = documented()
    if not placed_too:
        kinds = {name: kind for name, kind in kinds.items() if not name.startswith("camera.")}
    assert set(found) == set(kinds)
    misfits = {n: (kinds[n], v) for n, v in found.items() if not fits(v, kinds[n], n_frames=3)}
    assert not misfits


def test_the_documentation_is_of_this_version() -> None:
    text = DOCUMENTATION.read_text("utf-8")
    assert f"version {VERSION}" in text
    assert f"`{FORMAT}`" in text
