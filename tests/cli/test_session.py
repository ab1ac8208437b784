"""What every command shares: config sources, one JSON document, errors with exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from auglift.cli.options import with_session
from auglift.cli.progress import line_progress
from auglift.cli.session import Session
from auglift.config import StageConfig, setting
from auglift.errors import AugliftError, DataError, PartlyDoneError, SetupError, UsageError


@dataclass(frozen=True, kw_only=True)
class ToyConfig(StageConfig):
    size: int = setting(1)


def invoke(body: Callable[[Session, ToyConfig], None], *arguments: str) -> Result:
    def toy(session: Session, size: int | None = None) -> None:
        """Toy."""
        body(session, session.load(ToyConfig, size=size))

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(with_session(toy))
    return CliRunner().invoke(app, list(arguments))


def show(session: Session, config: ToyConfig) -> None:
    session.say("for the eye")
    session.show({"size": config.size, "root": config.root}, "a table")
    session.next("auglift [next]")


def test_results_go_to_stdout_and_words_to_stderr() -> None:
    result = invoke(show)
    assert result.stdout == "a table\n"
    assert result.stderr == "for the eye\nnext: auglift [next]\n"


def test_json_is_exactly_one_document_and_quiet_is_silent() -> None:
    result = invoke(show, "--json", "--size", "3", "--root", "there", "-q")
    assert json.loads(result.stdout) == {"size": 3, "root": "there"}
    assert result.stderr == ""


def test_flags_beat_sets_beat_files(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("size: 2\nroot: from-file\ndevice: cuda\n")
    seen: list[ToyConfig] = []
    result = invoke(
        lambda session, config: seen.append(config),
        *("-c", str(path), "-s", "size=3", "--set", "device=cpu", "--size", "4", "--overwrite"),
    )
    assert result.exit_code == 0, result.output
    assert seen == [ToyConfig(size=4, root=Path("from-file"), device="cpu", overwrite=True)]


def test_show_config_prints_every_key_and_does_nothing_else() -> None:
    result = invoke(lambda session, config: pytest.fail("ran"), "--show-config", "-s", "size=9")
    assert result.exit_code == 0
    assert "size: 9\n" in result.stdout
    assert "device: auto\n" in result.stdout
    result = invoke(lambda session, config: pytest.fail("ran"), "--show-config", "--json")
    assert json.loads(result.stdout)["size"] == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(AugliftError, 1), (UsageError, 2), (DataError, 3), (SetupError, 4), (PartlyDoneError, 5)],
)
def test_errors_say_what_where_and_what_next(error: type[AugliftError], code: int) -> None:
    def fail(session: Session, config: ToyConfig) -> None:
        raise error("it broke [here]", where="some/file", hint="do this")

    result = invoke(fail)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "error: it broke [here]",
        "  where: some/file",
        "  next:  do this",
    ]
    document = json.loads(invoke(fail, "--json").stdout)
    assert document["exit_code"] == code
    assert (document["what"], document["next"]) == ("it broke [here]", "do this")


def test_tracebacks_only_with_verbose() -> None:
    def fail(session: Session, config: ToyConfig) -> None:
        raise DataError("it broke")

    assert "Traceback" not in invoke(fail).stderr
    assert "Traceback" in invoke(fail, "-v").stderr


def test_an_unknown_key_is_a_usage_error_with_the_nearest_key() -> None:
    result = invoke(show, "--set", "sise=3")
    assert result.exit_code == 2
    assert "Did you mean: 'size'" in result.stderr


def test_ctrl_c_exits_with_130() -> None:
    def interrupt(session: Session, config: ToyConfig) -> None:
        raise KeyboardInterrupt

    assert invoke(interrupt).exit_code == 130


def script(body: str) -> str:
    """A program that runs `body` in a session, as the command line does."""
    return (
        "import sys, time, typer\n"
        "from auglift.cli.session import Session\n"
        "session = Session()\n"
        "try:\n"
        "    with session.reporting_errors():\n"
        f"{textwrap.indent(textwrap.dedent(body), ' ' * 8)}\n"
        "except typer.Exit as end:\n"
        "    sys.exit(end.exit_code)\n"
    )


def test_sigterm_cleans_up_and_exits_with_5() -> None:
    waiting = """
        try:
            print("ready", flush=True)
            time.sleep(60)
        finally:
            print("cleaned up", flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", script(waiting)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    start = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 5, stderr
    assert stdout == "cleaned up\n"
    assert "run the same command again" in stderr
    assert time.monotonic() - start < 10


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "many_lines.py"
    path.write_text(script("for i in range(100_000): session.write(str(i))"))
    command = f"{sys.executable} {path} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_progress_lines_for_log_files_tell_count_rate_and_time_left() -> None:
    out = StringIO()
    progress = line_progress(Console(file=out, width=200), every_s=0.0)
    with progress("detect", 10, "frames") as advance:
        advance(4, "2 people")
    line = out.getvalue()
    assert line.startswith("detect: 4 of 10 frames, ")
    assert "frames/s" in line
    assert line.endswith("left, 2 people\n")
