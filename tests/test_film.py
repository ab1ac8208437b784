"""`auglift film`: a dataset on disk that is resumed, never mixed, and the same each time."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.errors import ConfigError, UsageError
from auglift.executors import InjectedFaultError
from auglift.film import FilmConfig, film

TINY = {
    "scene": "lab", "actions": ("squat", "wave"), "train_subjects": 1, "test_subjects": 1,
    "seconds": 0.4, "rate_hz": 5.0, "size": 0.06,
}  # fmt: skip


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_everybody_does_everything_before_every_camera(tmp_path: Path) -> None:
    result = film(FilmConfig(root=tmp_path, **TINY))
    assert (result.takes, result.takes_done_before, result.pictures) == (4, 0, 4 * 4 * 2)
    takes = sorted(p.parent.relative_to(result.folder) for p in result.folder.rglob("take.json"))
    assert [str(t) for t in takes] == ["S1/squat_0", "S1/wave_0", "S2/squat_0", "S2/wave_0"]
    assert len(list(result.folder.rglob("*.mkv"))) == 16


def test_interrupted_and_parallel_runs_end_in_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(FilmConfig(root=tmp_path / "once", **TINY))
    monkeypatch.setenv("AUGLIFT_FAULT", "after_take:0")
    with pytest.raises(InjectedFaultError):
        film(FilmConfig(root=tmp_path / "again", **TINY))
    monkeypatch.delenv("AUGLIFT_FAULT")
    resumed = film(FilmConfig(root=tmp_path / "again", workers=2, **TINY))
    assert resumed.takes_done_before >= 1
    once, again = (hashes(tmp_path / name / "virtual_data") for name in ("once", "again"))
    assert once == again


def test_another_plan_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    film(FilmConfig(root=tmp_path, **TINY))
    with pytest.raises(UsageError, match="seed"):
        film(FilmConfig(root=tmp_path, **TINY, seed=1))


def test_a_dry_run_films_nothing(tmp_path: Path) -> None:
    result = film(FilmConfig(root=tmp_path, dry_run=True, **TINY))
    assert (result.takes, result.pictures) == (4, 0)
    assert not result.folder.exists()


@pytest.mark.parametrize(
    "wrong", [{"people": 5}, {"size": 0.0}, {"train_subjects": 0, "test_subjects": 0}]
)
def test_impossible_plans(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        FilmConfig(**wrong)
    with pytest.raises(UsageError, match="unknown scene"):
        film(FilmConfig(scene="moon", dry_run=True))


def test_the_command_line(tmp_path: Path) -> None:
    words = ["film", "--root", str(tmp_path), "--action", "squat", "--train-subjects", "1"]
    words += ["--test-subjects", "0", "--seconds", "0.2", "--rate-hz", "5", "--size", "0.06"]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["takes"] == 1
    assert "auglift preprocess --dataset virtual" in result.stderr
