"""Results stand beside their inputs under names of their own; nothing is overwritten unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglift.errors import UsageError
from auglift.geometry.skeleton import H36M_17
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.outputs.result_files import ResultFiles, plan_results, write_people


def plan(*sources: Path, **options: Any) -> list[ResultFiles]:
    usual = {"folder": None, "formats": ("json", "npz", "mp4"), "overwrite": False}
    inputs = [(source, source.suffix == ".json") for source in sources]
    return plan_results(inputs, **{**usual, **options})


def names(paths: dict[str, Path]) -> dict[str, str]:
    return {kind: path.name for kind, path in paths.items()}


@pytest.mark.parametrize(
    ("name", "overlay"),
    [
        ("clip.MP4", "clip_auglift.mp4"),
        ("shot.JPG", "shot_auglift.png"),
        ("a.b.mkv", "a.b_auglift.mp4"),
    ],
)
def test_names(tmp_path: Path, name: str, overlay: str) -> None:
    (job,) = plan(tmp_path / name)
    stem = Path(name).stem
    assert names(job.all) == {
        "json": f"{stem}_auglift.json",
        "npz": f"{stem}_auglift.npz",
        "mp4": overlay,
    }
    assert {path.parent for path in job.all.values()} == {tmp_path}
    assert not job.is_keypoints


def test_a_folder_is_a_clip_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shots.v2"
    folder.mkdir()
    (job,) = plan(folder)
    assert job.all["mp4"] == tmp_path / "shots.v2_auglift.mp4"
    monkeypatch.chdir(folder)
    assert plan(Path())[0].all["mp4"] == tmp_path / "shots.v2_auglift.mp4"


def test_keypoints_have_no_overlay(tmp_path: Path) -> None:
    (job,) = plan(tmp_path / "people.json")
    assert job.is_keypoints
    assert names(job.all) == {"json": "people_auglift.json", "npz": "people_auglift.npz"}
    with pytest.raises(UsageError, match="no pictures to draw into"):
        plan(tmp_path / "people.json", formats=("mp4",))


def test_what_is_there_is_not_to_be_done(tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    (tmp_path / "clip_auglift.npz").write_bytes(b"mine")
    assert set(plan(source)[0].todo) == {"json", "mp4"}
    assert set(plan(source, overwrite=True)[0].todo) == {"json", "npz", "mp4"}
    assert set(plan(source, formats=("npz",))[0].todo) == set()


def test_all_go_into_one_folder_unless_they_would_meet(tmp_path: Path) -> None:
    out = tmp_path / "out"
    jobs = plan(tmp_path / "a/one.mp4", tmp_path / "b/two.mp4", folder=out)
    assert {path.parent for job in jobs for path in job.all.values()} == {out}
    with pytest.raises(UsageError, match=r"would both become one_auglift\.json"):
        plan(tmp_path / "a/one.mp4", tmp_path / "b/one.mov", folder=out)


def test_an_unknown_format_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown format 'jsn'") as caught:
        plan(tmp_path / "clip.mp4", formats=("jsn",))
    assert "did you mean 'json'" in caught.value.hint


def test_a_pattern_is_named_by_its_folder(tmp_path: Path) -> None:
    (job,) = plan(tmp_path / "shots" / "*.jpg")
    assert job.all["mp4"] == tmp_path / "shots_auglift.mp4"


def people(n: int) -> LiftedPeople:
    """n people who stand still for three frames."""
    pose = np.random.default_rng(0).normal(size=(3, 17, 3))
    person = {
        "frame": np.arange(3), "time_s": np.arange(3) / 25.0, "detected": np.ones(3, bool),
        "pose_3d": pose, "joints_2d": np.zeros((3, 17, 2)), "confidence": np.ones((3, 17)),
    }  # fmt: skip
    everybody = [LiftedPerson(person=i, **person) for i in range(n)]
    return LiftedPeople("clip.mp4", H36M_17, (64, 48), 25.0, "run", everybody)


def test_each_person_gets_a_file_and_who_is_no_more_has_none(tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    (job,) = plan(source, formats=("trc", "csv"))
    written = write_people(job, people(11))
    assert [path.name for path in written] == [
        *(f"clip_auglift_person{i}.trc" for i in range(11)), "clip_auglift.csv",
    ]  # fmt: skip
    assert job.paths == tuple(written)
    (again,) = plan(source, formats=("trc", "csv"))
    assert not again.todo
    (anew,) = plan(source, formats=("trc",), overwrite=True)
    (tmp_path / "clip_auglift_person7_mine.trc").write_text("mine")
    write_people(anew, people(2))
    there = sorted(path.name for path in tmp_path.glob("*.trc"))
    assert there == [
        "clip_auglift_person0.trc", "clip_auglift_person1.trc", "clip_auglift_person7_mine.trc",
    ]  # fmt: skip
