"""The hub: light to import, helpful when mistyped, documented."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from auglift.cli.main import app

HEAVY = ("torch", "numpy", "scipy", "cv2", "av", "onnxruntime", "pyarrow", "matplotlib")

COMMANDS = [command.name for command in app.registered_commands]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "auglift", *arguments], capture_output=True, text=True, check=False
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from auglift.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_of_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    assert f"auglift {command}" in result.output.split("Options")[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_shared_options(command: str) -> None:
    output = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "120"}).output
    for option in ("--root", "--config", "--set", "--device", "--dry-run", "--overwrite", "--json"):
        assert option in output


def test_no_arguments_show_the_help_with_exit_codes() -> None:
    done = run()
    assert "auglift preprocess --dataset h36m" in done.stdout + done.stderr
    assert "5 partly done" in (done.stdout + done.stderr).replace("\n", " ")


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    done = run("docter")
    assert done.returncode == 2
    assert "doctor" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistyped_flag_is_answered_with_the_nearest() -> None:
    done = run("doctor", "--jsn")
    assert done.returncode == 2
    assert "--json" in done.stderr


def test_version_names_what_auglift_stands_on() -> None:
    done = run("--version")
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names[:3] == ["auglift", "python", "torch"]
    assert {"numpy", "pyarrow", "av", "opencv-python"} <= set(names)
    assert any(name.startswith("onnxruntime") for name in names)
