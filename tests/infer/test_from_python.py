"""The Python twin: the example and the README's lines run as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import auglift

PROJECT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"```python\n(.*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.fixture
def desk(root: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a user's, and the current one: a clip, joints of his own, and a trained run."""
    shutil.copy(film, tmp_path / "clip.mp4")
    shutil.copytree(root / "work_dirs" / "xyc", tmp_path / "work_dirs" / "my-run")
    people = auglift.infer(film, root=root, checkpoint="xyc", device="cpu")
    (person,) = people.people
    joints = np.concatenate([person.joints_2d, person.confidence[..., None]], axis=-1)
    np.save(tmp_path / "keypoints.npy", joints)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_readmes_lines_run(desk: Path) -> None:
    assert any("auglift.infer(" in block for block in BLOCKS)
    before = set(desk.rglob("*"))
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert set(desk.rglob("*")) == before


def test_the_example_runs(desk: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "examples" / "infer.py"), "clip.mp4", "my-run"],
        cwd=desk, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 person(s)" in done.stdout
    assert "Lifter(architecture=tcn" in done.stdout
    assert "m in camera axes" in done.stdout


def test_a_lifter_gives_infers_own_poses_for_its_joints(root: Path, film: Path) -> None:
    """Up to what `infer` does after lifting, which can be switched off."""
    settings = {"root": root, "checkpoint": "xyc", "device": "cpu", "smooth": "none"}
    people = auglift.infer(film, **settings)
    (person,) = people.people
    joints = np.concatenate([person.joints_2d, person.confidence[..., None]], axis=-1)
    lifter = auglift.Lifter.from_zoo("xyc", device="cpu", root=root)
    poses = lifter.lift(joints, image_wh=people.image_wh, fps=people.fps)
    # `infer` gives everybody one size over the clip: the shapes are the same.
    sizes = [np.linalg.norm(p, axis=(1, 2), keepdims=True) for p in (poses, person.pose_3d)]
    np.testing.assert_allclose(poses / sizes[0], person.pose_3d / sizes[1], atol=1e-4)
