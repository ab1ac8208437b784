"""The wheel holds what the executable needs, in an environment that knows nothing of the clone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auglift.geometry.body_size import bone_lengths, stature_m
from auglift.geometry.skeleton import H36M_17
from auglift.outputs.people3d import AXES
from auglift.storage.cards import LIFTER, load_cards

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
NO_REGISTRY = (
    "NewConnectionError",
    "Temporary failure in name resolution",
    "Network is unreachable",
)

HUMAN_M = {
    "left_knee": (0.32, 0.58), "right_knee": (0.32, 0.58),
    "left_ankle": (0.32, 0.56), "right_ankle": (0.32, 0.56),
    "left_elbow": (0.2, 0.42), "right_elbow": (0.2, 0.42),
    "left_wrist": (0.17, 0.38), "right_wrist": (0.17, 0.38),
}  # fmt: skip
"""Length of the bone that ends in a joint: grown people's, and some centimetres more. Not of the
hips: those of somebody who is seen from the side are half guessed."""

Done = subprocess.CompletedProcess[str]


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
        if p.suffix in (".yaml", ".onnx", ".safetensors")
    ]
    assert zoo
    assert {f"auglift/{path}" for path in map(str, zoo)} <= set(names)
    assert "auglift/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "examples/"))]


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what it asks for; where no registry can be reached, with
    this environment's packages instead."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "pip", "install", "-q"]
    installed = subprocess.run(
        [*pip, "-c", ROOT / "constraints.txt", wheel], capture_output=True, text=True, check=False
    )
    if installed.returncode and any(sign in installed.stderr for sign in NO_REGISTRY):
        subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        # A path in a .pth file is searched last, and its own .pth files (the clone) are not read.
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    else:
        assert installed.returncode == 0, installed.stderr
    return folder


@pytest.fixture
def run(environment: Path, tmp_path: Path) -> Callable[..., Done]:
    """Runs the installed executable, offline, in the folder of somebody who has nothing."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AUGLIFT_OFFLINE": "1"}

    def run(*arguments: str) -> Done:
        return subprocess.run(
            [environment / "bin" / "auglift", *arguments],
            cwd=tmp_path, env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@pytest.mark.slow
def test_doctor_is_content_in_an_empty_environment(
    run: Callable[..., Done], environment: Path
) -> None:
    done = run("doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["model cards"]["found"].startswith(f"{len(load_cards())} in {environment}")


@pytest.mark.slow
def test_the_list_of_models_shows_the_cards(run: Callable[..., Done], environment: Path) -> None:
    done = run("models", "list", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    listed = {model["id"]: model for model in json.loads(done.stdout)["models"]}
    assert set(listed) == set(load_cards())
    embedded = {name for name, model in listed.items() if model["status"] == "embedded"}
    lifters = {name for name, card in load_cards().items() if card.kind == LIFTER}
    assert embedded >= {"virtual-pose", *lifters}
    for name in embedded:
        assert Path(listed[name]["path"]).is_relative_to(environment)
        assert listed[name]["licence"]
    assert all("mm" in listed[name]["score"] for name in lifters)


@pytest.mark.slow
@pytest.mark.parametrize("n_frames", [1, 6])
def test_keypoints_become_a_plausible_body_offline(
    run: Callable[..., Done], tmp_path: Path, n_frames: int
) -> None:
    if not any(card.kind == LIFTER for card in load_cards().values()):
        pytest.skip("no lifter is embedded yet")
    with np.load(GOLDEN / "walk_poses.npz") as file:
        walk = file["joints_m"][:n_frames]
    write_keypoints(tmp_path / "keypoints.json", walk)
    done = run("infer", "keypoints.json", "--fov", "53.13", "--keypoint-skeleton", "h36m_17")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((tmp_path / "keypoints_auglift.json").read_text())
    card = load_cards()[document["lifter"]]
    assert card.lifter is not None
    assert (card.lifter.frames == 1) == (n_frames == 1)
    assert (document["units"], document["axes"]) == ("metres", AXES)
    (person,) = document["people"]
    poses, roots = np.array(person["pose_3d"], float), np.array(person["root_m"], float)
    assert poses.shape == (n_frames, 17, 3)
    lengths = bone_lengths(poses, H36M_17).mean(axis=0)
    for joint, (least_m, most_m) in HUMAN_M.items():
        assert least_m < lengths[H36M_17.index(joint)] < most_m, joint
    assert 1.4 < stature_m(poses, H36M_17) < 2.1
    ankles = H36M_17.indices("left_ankle", "right_ankle")
    assert (poses[:, H36M_17.index("head"), 1] < poses[:, ankles, 1].min(axis=1) - 1.0).all()
    np.testing.assert_allclose(roots[:, 2], walk[:, 0, 2], rtol=0.25)


def write_keypoints(path: Path, joints_m: np.ndarray) -> None:
    """COCO annotations of joints (T, 17, 3) before a camera with 1,000 px of focal length."""
    image_wh = (1000, 800)
    places = 1000.0 * joints_m[..., :2] / joints_m[..., 2:] + (499.5, 399.5)
    rows = np.concatenate([places, np.full((*places.shape[:2], 1), 0.9)], axis=-1)
    frames = range(len(rows))
    images = [{"id": i, "width": image_wh[0], "height": image_wh[1]} for i in frames]
    people = [{"id": i, "image_id": i, "keypoints": rows[i].ravel().tolist()} for i in frames]
    path.write_text(json.dumps({"images": images, "annotations": people}))
