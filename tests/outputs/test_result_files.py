"""Results stand beside their inputs under names of their own; nothing is overwritten unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from auglift.errors import UsageError
from auglift.outputs.result_files import plan_results


def plan(*sources: Path, **options: Any) -> list[Any]:
    usual = {"folder": None, "formats": ("json", "npz"), "overlay": True, "overwrite": False}
    return plan_results(sources, **{**usual, **options})


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
        "overlay": overlay,
    }
    assert {path.parent for path in job.all.values()} == {tmp_path}
    assert not job.is_keypoints


def test_a_folder_is_a_clip_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shots.v2"
    folder.mkdir()
    (job,) = plan(folder)
    assert job.all["overlay"] == tmp_path / "shots.v2_auglift.mp4"
    monkeypatch.chdir(folder)
    assert plan(Path())[0].all["overlay"] == tmp_path / "shots.v2_auglift.mp4"


def test_keypoints_have_no_overlay(tmp_path: Path) -> None:
    (job,) = plan(tmp_path / "people.json")
    assert job.is_keypoints
    assert names(job.all) == {"json": "people_auglift.json", "npz": "people_auglift.npz"}
    with pytest.raises(UsageError, match="no pictures to draw into"):
        plan(tmp_path / "people.json", formats=())


def test_what_is_there_is_not_to_be_done(tmp_path: Path) -> None:
    source = tmp_path / "clip.mp4"
    (tmp_path / "clip_auglift.npz").write_bytes(b"mine")
    assert set(plan(source)[0].todo) == {"json", "overlay"}
    assert set(plan(source, overwrite=True)[0].todo) == {"json", "npz", "overlay"}
    assert set(plan(source, overlay=False, formats=("npz",))[0].todo) == set()


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
