"""Checkpoints as the reference tools write them, made of the golden weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

GOLDEN = Path(__file__).parents[2] / "golden"


Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Golden:
    """A reference network's input (B, T, J, C), its output, and its weights by its names."""

    x: Tensor
    y: Tensor
    weights: dict[str, Tensor]


def read_golden(name: str) -> Golden:
    file = np.load(GOLDEN / f"{name}.npz")
    weights = {
        key.removeprefix("w."): torch.from_numpy(file[key]) for key in file.files if "." in key
    }
    x, y = torch.from_numpy(file["x"]), torch.from_numpy(file["y"])
    if x.dim() == 3:  # MMPose's TCN: (B, J·C, T), joint-major, and one pose
        x, y = x.transpose(1, 2).unflatten(2, (17, -1)), y[:, None]
    return Golden(x, y, weights)


@pytest.fixture
def golden() -> Callable[[str], Golden]:
    return read_golden


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Saves an object as PyTorch does."""

    def write(content: Any, name: str = "best_epoch.bin", legacy: bool = False) -> Path:
        path = tmp_path / name
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
        return path

    return write


@torch.enable_grad()
def trained(weights: Weights) -> dict[str, Any]:
    """An optimiser's state."""
    parameters = [torch.nn.Parameter(v.clone()) for v in weights.values() if v.dim()]
    optimiser = torch.optim.Adam(parameters, amsgrad=True)
    sum(p.sum() for p in parameters).backward()
    optimiser.step()
    return optimiser.state_dict()


def of_parallel(weights: Weights) -> Weights:
    return {f"module.{name}": value for name, value in weights.items()}


def as_videopose3d(weights: Weights) -> dict[str, Any]:
    """By its `run.py`, without the parts of semi-supervised training."""
    return {
        "epoch": 80,
        "lr": 1.6e-5,
        "random_state": np.random.RandomState(1234),
        "optimizer": trained(weights),
        "model_pos": weights,
        "model_traj": None,
        "random_state_semi": None,
    }


def as_poseformer(weights: Weights) -> dict[str, Any]:
    return as_videopose3d(weights) | {"model_pos": of_parallel(weights)}


def as_mmpose(weights: Weights) -> dict[str, Any]:
    """A published checkpoint."""
    return {"meta": {"mmpose_version": "1.0.0", "epoch": 160}, "state_dict": weights}


def as_motionbert(weights: Weights) -> dict[str, Any]:
    """MotionBERT's own, from the names that MMPose has given them."""
    renames = (
        ("backbone.", ""), ("spat_embed", "pos_embed"), ("attn_regress.", "ts_attn."),
        (".mlp_s.0.", ".mlp_s.fc1."), (".mlp_s.2.", ".mlp_s.fc2."), (".mlp_t.0.", ".mlp_t.fc1."),
        (".mlp_t.2.", ".mlp_t.fc2."), ("head.pre_logits.", "pre_logits."), ("head.fc.", "head."),
    )  # fmt: skip
    own = {}
    for name, value in weights.items():
        for theirs, ours in renames:
            name = name.replace(theirs, ours)
        own[name] = value
    state = {"epoch": 60, "lr": 1e-4, "optimizer": trained(own), "min_loss": np.float64(37.2)}
    return state | {"model_pos": of_parallel(own)}


def as_motionagformer(weights: Weights) -> dict[str, Any]:
    state = {"epoch": 60, "lr": 1e-4, "optimizer": trained(weights), "min_mpjpe": np.float64(45.1)}
    return state | {"model": of_parallel(weights), "wandb_id": "1x2y3z"}


def as_auglift(weights: Weights) -> dict[str, Any]:
    """MMPose's file; its head's layer is `head.fc`, which the golden has without the head."""
    return as_mmpose(
        {n.replace("fc.", "head.fc.", n.startswith("fc.")): v for n, v in weights.items()}
    )


AS_FILE: dict[str, Callable[[Weights], dict[str, Any]]] = {
    "videopose3d": as_videopose3d,
    "poseformer": as_poseformer,
    "mmpose": as_mmpose,
    "auglift-tcn": as_mmpose,
    "motionbert": as_motionbert,
    "motionbert of mmpose": as_mmpose,
    "motionagformer": as_motionagformer,
    "auglift-poseformer": as_auglift,
}


@pytest.fixture
def as_file() -> dict[str, Callable[[Weights], dict[str, Any]]]:
    """What each tool puts into its file, of the weights."""
    return AS_FILE
