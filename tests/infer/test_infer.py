"""From inputs to results: what is there already, what fails, what may be asked for."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import auglift
from auglift.detection.zoo_detector import OpenedDetector
from auglift.errors import (
    BrokenFileError,
    ConfigError,
    MissingDataError,
    PartlyDoneError,
    UsageError,
)
from auglift.infer import InferConfig, InferResult, infer
from auglift.storage.pictures import write_picture

N_FRAMES = 6

Run = Callable[..., InferResult]


def test_the_package_lifts_a_path_without_writing(
    root: Path, tmp_path: Path, keypoint_file: tuple[Path, tuple[int, int]]
) -> None:
    path, image_wh = keypoint_file
    before = set(tmp_path.rglob("*"))
    lifted = auglift.infer(path, root=root, checkpoint="xyc", image_wh=image_wh)
    assert [len(person.frame) for person in lifted.people] == [N_FRAMES]
    assert set(tmp_path.rglob("*")) == before
    lifter = auglift.Lifter.from_zoo("xyc", device="cpu", root=root)
    assert lifter.spec.features.variant == "xyc"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, auglift; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_written_is_kept_and_nothing_is_opened_for_it(
    run: Run, film: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (first,) = run(film).files
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in first.results}
    with caplog.at_level(logging.INFO):
        (second,) = run(film, checkpoint="no such run").files
    assert second.written == ()
    assert second.results == first.results
    assert "is there already; --overwrite writes it anew" in caplog.text
    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in first.results}


def test_only_the_missing_file_is_written(run: Run, film: Path) -> None:
    (first,) = run(film).files
    json_file, npz_file, overlay, page = first.results
    npz_file.unlink()
    json_file.write_text("mine")
    (second,) = run(film).files
    assert second.written == (npz_file,)
    assert json_file.read_text() == "mine"
    assert overlay.is_file()
    assert page.is_file()


def test_overwrite_writes_all_anew_and_the_same(run: Run, film: Path) -> None:
    (first,) = run(film, formats=("json",)).files
    before = [path.read_bytes() for path in first.results]
    first.results[0].write_text("old")
    (second,) = run(film, formats=("json",), overwrite=True).files
    assert second.written == first.results
    assert [path.read_bytes() for path in second.results] == before


def test_a_dry_run_writes_nothing(
    run: Run, film: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        (file,) = run(film, dry_run=True, checkpoint="no such run").files
    assert file.written == ()
    assert not (tmp_path / "out").exists()
    assert f"would write {file.results[0]}" in caplog.text


def test_one_broken_input_leaves_the_others_done(run: Run, film: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.mp4").write_bytes(b"no video")
    result = run(tmp_path / "torn.mp4", film, tmp_path / "nowhere.mp4")
    assert [file.source for file in result.files] == [film]
    assert {failure.source.name: type(failure.error) for failure in result.failures} == {
        "torn.mp4": BrokenFileError,
        "nowhere.mp4": MissingDataError,
    }
    assert isinstance(result.error, PartlyDoneError)
    assert "2 of 3 inputs" in result.error.what
    assert "torn.mp4" in result.error.what
    assert run(film).error is None


def test_where_all_fail_it_is_the_first_ones_error(run: Run, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"no video")
    with pytest.raises(BrokenFileError) as caught:
        run(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert caught.value.where == str(tmp_path / "a.mp4")


def test_a_missing_input_is_said_before_anything_is_opened(root: Path, tmp_path: Path) -> None:
    config = InferConfig(inputs=(tmp_path / "nowhere.mp4",), root=root, checkpoint="no such run")
    with pytest.raises(MissingDataError, match="no such picture, video, folder or file"):
        infer(config)


def test_a_stop_is_no_failure_of_an_input(
    run: Run,
    film: Path,
    tmp_path: Path,
    opened: OpenedDetector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []

    def stop(pictures: list[np.ndarray]) -> None:
        calls.append(len(pictures))
        raise KeyboardInterrupt

    monkeypatch.setattr(opened.detector, "detect", stop)
    write_picture(tmp_path / "shot.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(KeyboardInterrupt):
        run(film, tmp_path / "shot.png")
    assert len(calls) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"formats": (), "video": False},
        {"batch": 0},
        {"max_gap_s": -0.1},
        {"max_gap_s": float("inf")},
        {"fps": 0.0},
        {"fps": float("nan")},
        {"image_wh": (0, 5)},
    ],
)
def test_settings_that_mean_nothing(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        InferConfig(**settings)


def test_no_input_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no input"):
        infer(InferConfig())
