"""What the README and the examples say works: commands parse, files exist, examples run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auglift.cli.main import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

IN_SHELL_BLOCKS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
IN_TEXT = re.findall(r"`(auglift [a-z-]+ [^`]*-[^`]*)`", README)
COMMANDS = sorted(
    line
    for line in {*IN_SHELL_BLOCKS, *IN_TEXT}
    if line.startswith("auglift ") and "→" not in line and "COMMAND" not in line
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_is_understood(command: str) -> None:
    words = shlex.split(command)[1:]
    result = CliRunner().invoke(app, [*words, "--show-config"])
    assert result.exit_code == 0, result.output


def test_the_readme_holds_commands_at_all() -> None:
    assert "auglift detect-depth --dataset h36m --shard 3/20" in COMMANDS
    assert "auglift train --arch tcn --variant casp" in COMMANDS
    assert "auglift evaluate --protocol p2" in COMMANDS
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_what_the_readme_links_to_is_there(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_file_tree_names_what_is_there() -> None:
    tree = re.search(r"```\n(auglift/.*?)```", README, re.DOTALL)
    assert tree
    for name in re.findall(r"[\w_]+\.py|[\w_]+/", tree[1]):
        assert (ROOT / name).exists() or (ROOT / "auglift" / name).exists(), name


@pytest.mark.slow
@pytest.mark.parametrize("example", ["walk.sh", "walk.py", "own_dataset.py"])
def test_examples_run_from_an_empty_folder(example: str, tmp_path: Path) -> None:
    program = {"sh": "bash", "py": sys.executable}[example.split(".")[1]]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [program, str(ROOT / "examples" / example), str(tmp_path / "walk")],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert " mm" in done.stdout
