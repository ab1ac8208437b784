"""Two processes learn what one would; run as a script, this file is one of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor, nn

from auglift.config import load_config
from auglift.errors import AugliftError, DataError
from auglift.geometry.skeleton import H36M_17
from auglift.lifting.checkpoint import load_resume_state
from auglift.lifting.data import PoseData, load_pose_data
from auglift.lifting.distributed import World, _tell_of_failure, joined
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.recipe import AugmentConfig, Recipe
from auglift.lifting.samples import table_samples
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.lifting.trainer import Trainer
from auglift.train import TrainConfig, train


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
    model = Clips()
    samples = table_samples(make_data(), model, spec, recipe)
    trainer = Trainer(model, spec, samples, recipe, "cpu", world)
    windows, dice, mirrored = next(trainer._draws(trainer._batch_bounds()))
    trainer.step(windows, dice, mirrored)
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
    for n_before in range(4):  # rows of the same batch, of another table
        shares = [World(rank, 3).share(rows, n_before) for rank in range(3)]
        assert torch.equal(torch.cat(shares).sort().values, rows)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
    whole = World(1, 3).share(rows)
    assert torch.equal(
        torch.cat([World(1, 3).share(rows[:4]), World(1, 3).share(rows[4:], 4)]), whole
    )


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


SETTINGS = {
    "arch": "poseformer", "frames": 9, "device": "cpu", "epochs": 3, "batch_size": 16, "lr": 0.05,
    # Adam makes steps of full length of the rounding errors where a gradient should be zero.
    "optimiser": "sgd", "model.channels": 8, "model.layers": 1, "save_every_s": 0.0,
    "curves": False,
}  # fmt: skip


def torchrun(
    root: Path, name: str, fault: str | None = None, **settings: object
) -> subprocess.CompletedProcess[str]:
    """`auglift train` by two processes of one core each."""
    words = [f"{key}={value}" for key, value in {**SETTINGS, **settings}.items()]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "auglift", "train", "--root", str(root), "--name", name, "--json",
        *(word for setting in words for word in ("--set", setting)),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if fault:
        environment["AUGLIFT_FAULT"] = fault
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def alone(root: Path, name: str, **settings: object) -> Path:
    """The same by this process; the run's folder."""
    sets = [f"{key}={value}" for key, value in {**SETTINGS, **settings}.items()]
    return train(load_config(TrainConfig, sets=sets, flags={"root": root, "name": name})).run


def check_same_end(run: Path, other: Path) -> None:
    """The weights after the last epoch, and the best ones."""
    states = [load_resume_state(r / "last_checkpoint") for r in (run, other)]
    assert len(states[0]["records"]) == len(states[1]["records"]) == SETTINGS["epochs"]
    ends = [state["trainer"]["model"] for state in states]
    bests = [load_file(r / "best_model.safetensors") for r in (run, other)]
    for mine, theirs in (ends, bests):
        for name, expected in theirs.items():
            torch.testing.assert_close(mine[name], expected, atol=1e-5, rtol=1e-5, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("memory_gb", [8.0, 1e-4])
def test_two_processes_end_where_one_does(write_xycd, memory_gb: float) -> None:
    root = write_xycd(subjects=("S1", "S5", "S6"))
    done = torchrun(root, "two", memory_gb=memory_gb)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count('"val_p1_mm"') == 1  # one process speaks for all
    assert ("streamed" in done.stderr) == (memory_gb < 1.0)
    check_same_end(root / "work_dirs" / "two", alone(root, "one", memory_gb=memory_gb))


@pytest.mark.slow
def test_a_killed_process_ends_all_and_any_number_goes_on(write_xycd) -> None:
    root = write_xycd(subjects=("S1", "S5", "S6"))
    killed = torchrun(root, "two", fault="rank_1_after_epoch:2:kill")
    assert killed.returncode != 0
    run, copy = root / "work_dirs" / "two", root / "work_dirs" / "copy"
    assert 1 <= len(load_resume_state(run / "last_checkpoint")["records"]) <= 2
    shutil.copytree(run, copy)
    undisturbed = alone(root, "undisturbed")
    check_same_end(alone(root, "copy"), undisturbed)
    resumed = torchrun(root, "two")
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    check_same_end(run, undisturbed)


@pytest.mark.slow
def test_a_process_that_fails_says_why_and_the_others_name_it(write_xycd) -> None:
    failed = torchrun(write_xycd(), "two", fault="rank_1_after_epoch:1")
    assert failed.returncode != 0
    assert "rank 1 of 2 failed" in failed.stderr
    assert "Traceback" in failed.stderr
    assert "injected fault rank_1_after_epoch:1" in failed.stderr
    assert "rank 0 of 2 ends: rank 1 failed" in " ".join(failed.stderr.split())


class Store(dict):
    """The processes' notice board."""

    def set(self, key: str, value: str) -> None:
        self[key] = value

    def check(self, keys: list[str]) -> bool:
        return all(key in self for key in keys)


def test_who_is_to_blame(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    store = Store()
    monkeypatch.setattr(dist.distributed_c10d, "_get_default_store", lambda: store)
    lost = RuntimeError("[../gloo/transport/tcp/pair.cc:534] Connection closed by peer")
    with pytest.raises(AugliftError, match="rank 0 of 2 was ended by another"):
        _tell_of_failure(lost, World(0, 2))
    assert "rank 1 was killed or lost the connection" in caplog.text
    with pytest.raises(AugliftError):
        _tell_of_failure(lost, World(0, 3))
    assert "torchrun's report says which" in caplog.text
    caplog.clear()
    _tell_of_failure(KeyboardInterrupt(), World(0, 3))  # which reaches all of them
    assert not caplog.text
    _tell_of_failure(DataError("a broken row"), World(2, 3))
    assert "rank 2 of 3 failed" in caplog.text
    for error in (lost, KeyboardInterrupt(), dist.DistBackendError("")):
        caplog.clear()
        with pytest.raises(AugliftError, match="rank 0 of 3"):
            _tell_of_failure(error, World(0, 3))
        assert "rank 0 of 3 ends: rank 2 failed" in caplog.text


if __name__ == "__main__":
    with joined("cpu") as (here, _):
        torch.save(learn(here), Path(sys.argv[1]) / f"{here.rank}.pt")
