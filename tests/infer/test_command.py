"""`auglift infer` as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.config import load_config
from auglift.infer import InferConfig

N_FRAMES = 6


@pytest.fixture
def command(root: Path, tmp_path: Path, networks: dict[str, str]) -> Callable[..., Any]:
    named = [(f"--{key.replace('_', '-')}", path) for key, path in networks.items()]
    options = [part for pair in named for part in pair]

    def command(*arguments: str) -> Any:
        usual = ["--root", str(root), "-o", str(tmp_path / "out"), "--checkpoint", "xyc", "-q"]
        return CliRunner().invoke(app, ["infer", *arguments, *usual, "--device", "cpu", *options])

    return command


def test_the_command_prints_a_table(command: Callable[..., Any], film: Path) -> None:
    done = command(str(film), "--no-video", "--formats", "json")
    assert done.exit_code == 0
    assert f"{film.stem}_auglift.json" in done.stdout
    assert ".npz" not in done.stdout


def test_the_command_ends_with_5_and_one_document_when_an_input_fails(
    command: Callable[..., Any], film: Path, tmp_path: Path
) -> None:
    (tmp_path / "torn.mp4").write_bytes(b"no video")
    done = command(str(film), str(tmp_path / "torn.mp4"), "--no-video", "--json")
    assert done.exit_code == 5
    document = json.loads(done.stdout)
    assert [Path(file["source"]) for file in document["files"]] == [film]
    assert document["files"][0]["frames"] == N_FRAMES
    (failure,) = document["failures"]
    assert failure["error"] == "BrokenFileError"
    again = command(str(film), str(tmp_path / "torn.mp4"), "--no-video")
    assert again.exit_code == 5
    assert "1 of 2 inputs could not be done" in again.stderr.replace("\n", " ")


def test_the_command_ends_with_the_errors_code(command: Callable[..., Any], tmp_path: Path) -> None:
    assert command(str(tmp_path / "nowhere.mp4")).exit_code == 3


def test_the_command_says_where_the_camera_is_and_which_way_is_up(
    command: Callable[..., Any], film: Path, tmp_path: Path
) -> None:
    camera = ("--intrinsics", "200,200,64,114", "--height", "1.8", "--up", "z")
    done = command(str(film), *camera, "--smooth", "gaussian", "--formats", "json,trc")
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "out" / f"{film.stem}_auglift.json").read_text())
    assert document["camera"]["intrinsics"][:4] == [200, 200, 64, 114]
    assert "stature 1.8 m" in document["positions"]
    assert document["world"]["up"] == "z"
    assert f"{film.stem}_auglift_person0.trc" in done.stdout
    assert command(str(film), "--intrinsics", "200,200").exit_code == 2


def test_the_command_streams_lines(command: Callable[..., Any], film: Path) -> None:
    done = command(str(film), "--online")
    assert done.exit_code == 0, done.output
    about, *lines = map(json.loads, done.stdout.splitlines())
    assert about["format"] == "auglift-people-live"
    assert [line["frame"] for line in lines] == list(range(N_FRAMES))


def test_the_command_line_reaches_every_setting(tmp_path: Path) -> None:
    config = load_config(
        InferConfig,
        environment={},
        flags={"inputs": [Path("a.mp4"), Path("b")], "image_wh": (640, 480), "formats": ["npz"]},
        sets=["max_gap_s=1.5"],
    )
    assert config.inputs == (Path("a.mp4"), Path("b"))
    assert (config.image_wh, config.formats, config.max_gap_s) == ((640, 480), ("npz",), 1.5)
