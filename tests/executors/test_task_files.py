"""What tasks leave on disk for whoever asks."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from auglift.executors import task_files
from auglift.executors.task_files import (
    Report,
    Submitted,
    TaskFiles,
    Word,
    all_submitted,
    file_name,
)


def test_files_come_back_as_they_were_and_are_named_after_their_task(tmp_path: Path) -> None:
    files = TaskFiles(tmp_path / "new", "3/20")
    assert files.read(Word) is None
    word = Word("failed", "7_2", "n1", ("first", "second"), "", 1.5)
    files.write(word)
    files.write(Report(3, None, "frames", 0.5))
    assert files.read(Word) == word
    assert files.read(Report) == Report(3, None, "frames", 0.5)
    names = sorted(path.name for path in files.folder.iterdir())
    assert names == ["3-of-20.progress.json", "3-of-20.state.json"]  # and nothing half-written
    (files.folder / "3-of-20.state.json").write_text('{"state"')
    assert files.read(Word) is None


def test_submissions_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10/20", "9/20", "1/20"):
        TaskFiles(tmp_path, name).write(Submitted(name, "5_0", "log", 0.0))
    assert [one.name for one in all_submitted(tmp_path)] == ["1/20", "9/20", "10/20"]
    assert all_submitted(tmp_path / "nowhere") == []


def test_any_name_becomes_a_file_name() -> None:
    assert file_name("s_lr=0.1_loss=a+b") == "s_lr=0.1_loss=a+b"
    assert file_name("a b/../c") == "a-b-of-..-of-c"


def test_progress_is_reported_now_and_then_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = TaskFiles(tmp_path, "a")
    monkeypatch.setattr(task_files, "SECONDS_BETWEEN_REPORTS", 1e9)
    with suppress(RuntimeError), files.progress()("detect", 10, "frames") as advance:
        advance(3)
        advance(2, note="two people")
        raise RuntimeError
    report = files.read(Report)
    assert report is not None
    assert (report.done, report.total, report.unit, report.note) == (5, 10, "frames", "two people")
    monkeypatch.setattr(task_files, "SECONDS_BETWEEN_REPORTS", 0.0)
    with files.progress()("detect", 10, "frames") as advance:
        advance(1)
        now = files.read(Report)
        assert now is not None
        assert now.done == 1
    files.forget_progress()
    assert files.read(Report) is None
