"""Two processes learn what one would; run as a script, this file is one of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auglift.geometry.skeleton import H36M_17
from auglift.lifting.data import PoseData, load_pose_data
from auglift.lifting.distributed import World, joined
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.recipe import AugmentConfig, Recipe
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.lifting.trainer import Trainer


class Clips(LifterModel):
    """A lifter without batch norm, whose statistics would be each process's own on a CPU."""

    sequence, per_joint, width, receptive_field = True, True, 8, 5

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(9, 8), nn.Tanh(), nn.Linear(8, 3))

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


def make_data() -> PoseData:
    """Seven tracks of different lengths, with joints that nobody vouches for."""
    rng = np.random.default_rng(0)
    n_rows, starts = 70, np.array([0, 3, 20, 24, 41, 55, 62, 70])
    pose = rng.normal(0.0, 0.3, (n_rows, 17, 3)) + np.array([0.0, 0.0, 4.0])
    columns = {
        "pose_3d": pose.astype(np.float32),
        "joints_2d": (1000 * pose[..., :2] / pose[..., 2:] + 500).astype(np.float32),
        "joint_confidence": rng.uniform(0, 1, (n_rows, 17)).astype(np.float32),
        "depth_m": np.repeat(pose[..., 2:], 6, axis=-1).astype(np.float32),
        "depth_valid": np.ones((n_rows, 17), bool),
        "detected": rng.random(n_rows) < 0.9,
        "visible": (rng.random((n_rows, 17)) < 0.7) | (np.arange(17) == H36M_17.index("pelvis")),
        "image_wh": np.full((n_rows, 2), 1000, np.int32),
        "intrinsics": np.tile([1000.0, 1000.0, 500.0, 500.0, 0, 0, 0, 0, 0], (n_rows, 1)),
    }
    return load_pose_data(columns, starts, np.full(7, 25.0))


def learn(world: World) -> dict[str, Tensor]:
    """Gradients of the first step, weights after three epochs, and their losses."""
    torch.manual_seed(0)
    recipe = Recipe(
        batch_size=7, lr=0.05, optimiser="sgd", loss="confidence-mpjpe+0.5*velocity", stride=2,
        augment=AugmentConfig(rotation_deg=15.0, joint_drop=0.1), ema_decay=0.9,
    )  # fmt: skip
    spec = LifterSpec(arch="clips", model={}, features=FeatureConfig())
    trainer = Trainer(Clips(), spec, make_data(), recipe, "cpu", world=world)
    rows, dice, mirrored = next(trainer._draws(trainer._batch_bounds()))
    trainer.step(rows, dice, mirrored)
    gradients = {name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.grad
                 is not None}  # fmt: skip
    losses = [trainer.run_epoch(lambda n=1, note="": None) for _ in range(3)]
    return {**gradients, **{f"after {k}": v for k, v in trainer.best_weights.state_dict().items()},
            "losses": torch.tensor(losses)}  # fmt: skip


def test_alone_there_is_nothing_to_share() -> None:
    with joined("cpu", {}) as (world, device):
        assert (world, device) == (World(), "cpu")
    rows = torch.arange(5)
    assert torch.equal(world.share(rows), rows)
    assert torch.equal(world.sum(rows), rows)
    assert world.from_leader("kept") == "kept"


def test_shares_are_the_whole() -> None:
    rows = torch.arange(11)
    shares = [World(rank, 3).share(rows) for rank in range(3)]
    assert torch.equal(torch.cat(shares).sort().values, rows)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
               "--nproc-per-node", "2", __file__, str(tmp_path)]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    alone = learn(World())
    for rank in range(2):
        together = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert together.keys() == alone.keys()
        for name, expected in alone.items():
            torch.testing.assert_close(together[name], expected, atol=1e-5, rtol=1e-5, msg=name)


@pytest.mark.slow
def test_the_command_under_torchrun_writes_one_run(write_xycd, tmp_path: Path) -> None:
    root = write_xycd()
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "auglift", "train", "--root", str(root), "--arch", "tcn", "--frames", "3",
        "--epochs", "2", "--device", "cpu", "--json", "-s", "model.channels=16",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count('"val_p1_mm"') == 1
    assert (root / "work_dirs" / "h36m_tcn-3_casp_s0" / "best_model.safetensors").is_file()


if __name__ == "__main__":
    with joined("cpu") as (here, _):
        torch.save(learn(here), Path(sys.argv[1]) / f"{here.rank}.pt")
