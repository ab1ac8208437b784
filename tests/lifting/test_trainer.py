"""Training learns, resumes exactly, and stops with a reason; checkpoints come back as they went."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from auglift.errors import AugliftError, BrokenFileError, MissingDataError, SchemaError, UsageError
from auglift.lifting.checkpoint import (
    load_lifter,
    load_resume_state,
    save_lifter,
    save_resume_state,
)
from auglift.lifting.data import PoseData
from auglift.lifting.lifter import Lifter
from auglift.lifting.models import build_model
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.lifting.trainer import Recipe, Trainer

RECIPE = Recipe(
    epochs=4, batch_size=16, lr=3e-3, lr_decay=0.95, weight_decay=0.01, loss="mpjpe", flip=True,
    seed=0,
)  # fmt: skip


def quiet(n: int = 1, note: str = "") -> None:
    pass


def make_spec(variant: str = "casp", widths: tuple[int, ...] = (3,)) -> LifterSpec:
    features = FeatureConfig(variant=variant)
    arguments = {"in_channels": len(features.channels), "widths": widths, "channels": 32}
    return LifterSpec(arch="tcn", model=arguments, features=features)


def make_trainer(
    data: PoseData, recipe: Recipe = RECIPE, spec: LifterSpec | None = None
) -> Trainer:
    spec = spec or make_spec()
    torch.manual_seed(recipe.seed)
    return Trainer(build_model(spec.arch, **spec.model), spec, data, recipe, "cpu")


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


def test_the_loss_falls_and_the_poses_come_near(columns, load) -> None:
    data = load(columns)
    trainer = make_trainer(data, Recipe(**{**vars(RECIPE), "flip": False}))
    losses = [trainer.run_epoch(quiet) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]
    poses = Lifter(trainer.model, trainer.spec).lift(data)
    truth = columns["pose_3d"] - columns["pose_3d"][:, :1]
    assert (
        np.linalg.norm(poses - truth, axis=-1).mean() < 0.5 * np.linalg.norm(truth, axis=-1).mean()
    )


def test_resumed_equals_uninterrupted(columns, load, tmp_path: Path) -> None:
    data = load(columns)
    straight = make_trainer(data)
    for _ in range(4):
        straight.run_epoch(quiet)
    stopped = make_trainer(data)
    for _ in range(2):
        stopped.run_epoch(quiet)
    save_resume_state(tmp_path / "state", stopped.state())
    resumed = make_trainer(data, spec=make_spec())
    resumed.load_state(load_resume_state(tmp_path / "state"))
    for _ in range(2):
        resumed.run_epoch(quiet)
    assert torch.equal(weights(resumed), weights(straight))


def test_seeds_differ_and_repeat(columns, load) -> None:
    data = load(columns)
    runs = []
    for seed in (0, 0, 1):
        trainer = make_trainer(data, Recipe(**{**vars(RECIPE), "seed": seed}))
        trainer.run_epoch(quiet)
        runs.append(weights(trainer))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_rows_without_detection_or_truth_are_not_learned_from(columns, load) -> None:
    columns["detected"][:10] = False
    columns["pose_3d"][10:20] = np.nan
    trainer = make_trainer(load(columns))
    assert trainer.rows.tolist() == list(range(20, 64))
    columns["detected"][:] = False
    with pytest.raises(AugliftError, match="nothing to learn"):
        make_trainer(load(columns))


def test_a_loss_that_is_not_finite_stops_with_a_hint(columns, load) -> None:
    trainer = make_trainer(load(columns))
    with torch.no_grad():
        next(trainer.model.parameters()).fill_(torch.nan)
    with pytest.raises(AugliftError, match="loss became nan") as caught:
        trainer.run_epoch(quiet)
    assert "learning rate" in (caught.value.hint or "")


def test_unknown_losses_list_the_known_ones(columns, load) -> None:
    with pytest.raises(UsageError, match="unknown loss"):
        make_trainer(load(columns), Recipe(**{**vars(RECIPE), "loss": "mpjp"}))


def test_a_checkpoint_comes_back_as_it_went(columns, load, tmp_path: Path) -> None:
    data = load(columns)
    trainer = make_trainer(data)
    trainer.run_epoch(quiet)
    path = tmp_path / "best_model.safetensors"
    save_lifter(path, trainer.model, trainer.spec)
    _, spec = load_lifter(path)
    assert spec == trainer.spec
    before = Lifter(trainer.model, trainer.spec).lift(data)
    reopened = Lifter.open(path)
    np.testing.assert_array_equal(reopened.lift(data), before)
    np.testing.assert_allclose(reopened.lift(data, batch_size=7), before, atol=1e-6)


def test_flip_testing_averages_the_mirrored_answer(columns, load) -> None:
    data = load(columns)
    trainer = make_trainer(data)
    lifter = Lifter(trainer.model, trainer.spec)
    plain, flipped = lifter.lift(data), lifter.lift(data, flip_test=True)
    assert np.abs(plain - flipped).max() > 1e-4


def test_bad_checkpoints_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        load_lifter(tmp_path / "nowhere.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x08\x00\x00\x00")
    with pytest.raises(BrokenFileError):
        load_lifter(broken)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"w": torch.zeros(1)}, foreign)
    with pytest.raises(SchemaError, match="not an auglift lifter"):
        load_lifter(foreign)
    newer = tmp_path / "newer.safetensors"
    save_file({"w": torch.zeros(1)}, newer, {"format": "auglift-lifter", "version": "99"})
    with pytest.raises(SchemaError, match="version 99"):
        load_lifter(newer)


def test_a_hostile_training_state_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self):
            return (Path(tmp_path / "ran").touch, ())

    path = tmp_path / "last_checkpoint"
    torch.save({"epoch": Hostile()}, path)
    with pytest.raises(BrokenFileError):
        load_resume_state(path)
    assert not (tmp_path / "ran").exists()
