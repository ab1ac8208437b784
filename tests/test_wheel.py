"""The wheel holds what the executable needs, in an environment that knows nothing of the clone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NO_REGISTRY = (
    "NewConnectionError",
    "Temporary failure in name resolution",
    "Network is unreachable",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_cards_networks_and_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    zoo = [
        p.relative_to(ROOT)
        for p in (ROOT / "models_zoo").rglob("*")
        if p.suffix in (".yaml", ".onnx")
    ]
    assert zoo
    assert {f"auglift/{path}" for path in map(str, zoo)} <= set(names)
    assert "auglift/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "examples/"))]


@pytest.mark.slow
def test_doctor_is_content_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    installed = subprocess.run(
        [environment / "bin" / "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode and any(sign in installed.stderr for sign in NO_REGISTRY):
        pytest.skip("no package registry can be reached")
    assert installed.returncode == 0, installed.stderr
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [environment / "bin" / "auglift", "doctor", "--json"],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    n_cards = len(list((ROOT / "models_zoo").glob("*.yaml")))
    assert checks["model cards"]["found"].startswith(f"{n_cards} in {environment}")
