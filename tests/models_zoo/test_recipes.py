"""Every recipe can be read, names things that exist, and builds its lifter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from pathlib import Path

import pytest
import torch

from auglift.config import load_config, models_zoo_folder, recipe_path
from auglift.lifting.losses import parse_loss
from auglift.lifting.models import build_model
from auglift.lifting.presets import resolve
from auglift.train import TrainConfig, train

RECIPES = sorted(path.stem for path in (models_zoo_folder() / "recipes").glob("*.yaml"))
PARTS = sorted((models_zoo_folder() / "recipes" / "parts").glob("*.yaml"))


def read(name: str, *sets: str) -> TrainConfig:
    return load_config(TrainConfig, recipe=name, environment={}, sets=sets)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_builds_its_lifter(name: str) -> None:
    config = read(name)
    preset = resolve(config.arch)
    n_joints = 133 if "h3wb" in config.dataset else 17
    with torch.device("meta"):  # shapes only
        model = build_model(
            preset.arch,
            n_joints=n_joints,
            in_channels=len(config.features.channels),
            frames=config.frames or preset.frames,
            **{**preset.arguments, **config.model},
        )
        features = torch.empty(2, model.receptive_field, n_joints, len(config.features.channels))
        poses = model.eval()(features)
    assert poses.shape[-2:] == (n_joints, 3)
    parse_loss(config.loss, frames=poses.shape[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RECIPES if "h3wb" not in name])
def test_a_recipe_trains(name: str, write_xycd: Callable[..., Path]) -> None:
    """At a small width; the H3WB table has other joints than the made-up one."""
    root = write_xycd()
    own = ("dataset=[h36m]", "val_subjects=[]")  # those of its data are not in the made-up table
    config = read(name, *own, "model.channels=16", "device=cpu", "debug=true")
    result = train(replace(config, root=root))
    assert isfinite(result.val_p1_mm)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_names_its_source(name: str) -> None:
    first = recipe_path(name).read_text().splitlines()[0]
    assert first.startswith("# ")
    assert len(first) > 40


def test_every_part_is_somebodys_base() -> None:
    folder = models_zoo_folder() / "recipes"
    texts = [path.read_text() for path in folder.rglob("*.yaml")]
    for part in PARTS:
        assert any(f"{part.name}" in text for text in texts), part


def test_parts_come_through_and_flags_win() -> None:
    config = read("tcn-243-casp", "epochs=2")
    assert (config.arch, config.epochs, config.lr_decay) == ("tcn-243", 2, 0.95)
    assert (config.features.variant, config.features.scale) == ("casp", "box")
    assert config.augment.flip
    assert not config.augment.spoils_depth
    assert read("auglift-simple-casp").augment.flip is False
    assert Path(recipe_path("motionbert-lite")).is_file()


def test_the_published_numbers() -> None:
    """Of facts that can be looked up: learning rate, weight decay, decay, epochs, batch."""
    wanted = {
        "auglift-poseformer-27-xycd": (2e-4, 0.05, 0.98, 130, 512),
        "auglift-simple-casp": (1e-4, 0.0, 0.98, 200, 512),
        "videopose3d-243": (1e-3, 0.0, 0.95, 60, 1024),
        "poseformer-81": (1e-4, 0.1, 0.99, 200, 1024),
        "motionbert-lite": (5e-4, 0.01, 0.99, 120, 32),
        "motionagformer-xs": (5e-4, 0.01, 0.99, 60, 16),
    }
    for name, numbers in wanted.items():
        c = read(name)
        assert (c.lr, c.weight_decay, c.lr_decay, c.epochs, c.batch_size) == numbers, name
