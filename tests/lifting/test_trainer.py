"""Training learns, resumes exactly, and stops with a reason; checkpoints come back as they went."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from auglift.errors import (
    AugliftError,
    BrokenFileError,
    DataError,
    DeviceError,
    MissingDataError,
    SchemaError,
    UsageError,
)
from auglift.lifting import trainer as trainer_module
from auglift.lifting.augment import Dice
from auglift.lifting.batches import Windows
from auglift.lifting.checkpoint import (
    load_lifter,
    load_resume_state,
    save_lifter,
    save_resume_state,
)
from auglift.lifting.data import PoseData
from auglift.lifting.lifter import Lifter
from auglift.lifting.models import build_model
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.recipe import AugmentConfig, MaskConfig, Recipe
from auglift.lifting.samples import table_samples
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig
from auglift.lifting.trainer import Trainer

NO_AUGMENT = AugmentConfig(
    flip=False, depth_scale=0.0, depth_shift_m=0.0, depth_gain=0.0, depth_tilt_deg=0.0,
    depth_noise_m=0.0, depth_drop=0.0,
)  # fmt: skip
EVERYTHING = AugmentConfig(
    rotation_deg=15.0, scale=0.2, focal=0.1, keypoint_noise=0.02, confidence_drop=0.1,
    joint_drop=0.1,
)  # fmt: skip
RECIPE = Recipe(epochs=4, batch_size=16, lr=3e-3, lr_decay=0.95)


class Clips(LifterModel):
    """The smallest lifter for whole clips."""

    sequence = True
    per_joint = True

    def __init__(self, frames: int = 9, in_channels: int = 9, out_channels: int = 3) -> None:
        super().__init__()
        self.receptive_field, self.width = frames, 16
        self.layer = nn.Linear(in_channels, 16)
        self.head = nn.Linear(16, out_channels)

    def encode(self, features: Tensor) -> Tensor:
        return self.layer(features).tanh()

    def decode(self, hidden: Tensor) -> Tensor:
        return self.head(hidden)


def quiet(n: int = 1, note: str = "") -> None:
    pass


def make_spec(variant: str = "casp", widths: tuple[int, ...] = (3,)) -> LifterSpec:
    features = FeatureConfig(variant=variant)
    arguments = {"in_channels": len(features.channels), "widths": widths, "channels": 32}
    return LifterSpec(arch="tcn", model=arguments, features=features)


def make_trainer(
    data: PoseData,
    recipe: Recipe = RECIPE,
    spec: LifterSpec | None = None,
    model: LifterModel | None = None,
    **options: Any,
) -> Trainer:
    spec = spec or make_spec()
    torch.manual_seed(recipe.seed)
    model = model or build_model(spec.arch, **spec.model)
    samples = table_samples(data, model, spec, recipe, **options)
    return Trainer(model, spec, samples, recipe, "cpu")


def gathered(trainer: Trainer, rows: Tensor) -> Windows:
    return trainer.batches.gather(trainer.samples.data, rows)


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


def with_camera(columns: dict) -> dict:
    intrinsics = np.array([800.0, 800.0, 500.0, 500.0, 0, 0, 0, 0, 0])
    return columns | {"intrinsics": np.tile(intrinsics, (len(columns["detected"]), 1))}


def test_the_loss_falls_and_the_poses_come_near(columns, load) -> None:
    data = load(columns)
    trainer = make_trainer(data, replace(RECIPE, augment=NO_AUGMENT))
    losses = [trainer.run_epoch(quiet) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]
    poses = Lifter(trainer.model, trainer.spec).lift(data)
    truth = columns["pose_3d"] - columns["pose_3d"][:, :1]
    assert (
        np.linalg.norm(poses - truth, axis=-1).mean() < 0.5 * np.linalg.norm(truth, axis=-1).mean()
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"augment": EVERYTHING, "ema_decay": 0.9, "schedule": "cosine", "warmup_epochs": 1.5},
        {"optimiser": "sgd", "schedule": "one-cycle", "clip_norm": 0.1},
        {"optimiser": "adam", "schedule": "step", "step_epochs": 1, "sampling": "balanced"},
    ],
    ids=["default", "augmented", "sgd", "balanced"],
)
def test_resumed_equals_uninterrupted(columns, load, tmp_path: Path, options: dict) -> None:
    data, recipe = load(with_camera(columns)), replace(RECIPE, **options)
    straight = make_trainer(data, recipe, dataset_start=(0, 20, 64))
    losses = [straight.run_epoch(quiet) for _ in range(4)]
    stopped = make_trainer(data, recipe, dataset_start=(0, 20, 64))
    for _ in range(2):
        stopped.run_epoch(quiet)
    save_resume_state(tmp_path / "state", stopped.state())
    resumed = make_trainer(data, recipe, dataset_start=(0, 20, 64))
    resumed.load_state(load_resume_state(tmp_path / "state"))
    assert [resumed.run_epoch(quiet) for _ in range(2)] == losses[2:]
    assert torch.equal(weights(resumed), weights(straight))
    kept = [t.best_weights.state_dict() for t in (resumed, straight)]
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])
    assert resumed.latest_lr == straight.latest_lr


def test_seeds_differ_and_repeat(columns, load) -> None:
    data = load(columns)
    runs = []
    for seed in (0, 0, 1):
        trainer = make_trainer(data, replace(RECIPE, seed=seed))
        trainer.run_epoch(quiet)
        runs.append(weights(trainer))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_what_is_switched_off_changes_no_bit(columns, load) -> None:
    """Switched-off augmentation draws nothing, so that only what is on decides."""
    runs = []
    for augment in (NO_AUGMENT, replace(NO_AUGMENT, flip=True), EVERYTHING):
        trainer = make_trainer(load(with_camera(columns)), replace(RECIPE, augment=augment))
        rows, dice = torch.arange(8), Dice(torch.Generator().manual_seed(0), 8)
        before = dice.generator.get_state()
        batch = trainer.batches.make(gathered(trainer, rows), dice)
        runs.append((batch.features, torch.equal(before, dice.generator.get_state())))
    assert torch.equal(runs[0][0], runs[1][0])
    assert [untouched for _, untouched in runs] == [True, True, False]
    assert not torch.equal(runs[0][0], runs[2][0])


def test_controls_of_depth_get_no_errors(columns, load) -> None:
    data = load(columns)
    rows, dice = torch.arange(8), Dice(torch.Generator().manual_seed(0), 8)
    batches = []
    for control in ("true", "measured"):
        spec = replace(make_spec(), data={"depth": control})
        trainer = make_trainer(data, spec=spec)
        batches.append(trainer.batches.make(gathered(trainer, rows), dice).features)
    trainer = make_trainer(data, replace(RECIPE, augment=NO_AUGMENT))
    clean = trainer.batches.make(gathered(trainer, rows), dice)
    assert torch.equal(batches[0], clean.features)
    assert not torch.equal(batches[1], clean.features)


def test_rows_without_detection_or_truth_are_not_learned_from(columns, load) -> None:
    columns["detected"][:10] = False
    columns["pose_3d"][10:20] = np.nan
    trainer = make_trainer(load(columns))
    assert trainer.samples.sampler.groups[0].tolist() == list(range(20, 64))
    columns["detected"][:] = False
    with pytest.raises(AugliftError, match="nothing to learn"):
        make_trainer(load(columns))


def test_joints_without_truth_teach_nothing_but_the_others_do(columns, load) -> None:
    visible = np.ones((64, 17), bool)
    visible[:, 3] = False
    wrong = columns["pose_3d"].copy()
    wrong[:, 3] = 99.0
    runs = []
    for pose in (columns["pose_3d"], wrong):
        data = load(columns | {"visible": visible, "pose_3d": pose})
        trainer = make_trainer(data, replace(RECIPE, augment=NO_AUGMENT))
        trainer.run_epoch(quiet)
        runs.append(weights(trainer))
    assert torch.equal(*runs)
    everything = make_trainer(load(columns), replace(RECIPE, augment=NO_AUGMENT))
    everything.run_epoch(quiet)
    assert not torch.equal(runs[0], weights(everything))
    missing = columns["pose_3d"].copy()
    missing[:, 3] = np.nan
    trainer = make_trainer(load(columns | {"pose_3d": missing}))
    trainer.run_epoch(quiet)
    assert weights(trainer).isfinite().all()


def test_depth_that_is_nowhere_valid_is_a_clear_error(columns, load) -> None:
    columns["depth_valid"][:] = False
    with pytest.raises(DataError, match="no row has a valid depth, which casp"):
        make_trainer(load(columns))
    make_trainer(load(columns), spec=make_spec("xyc")).run_epoch(quiet)


def test_the_camera_can_only_move_where_it_is_known(columns, load) -> None:
    recipe = replace(RECIPE, augment=AugmentConfig(rotation_deg=15.0))
    with pytest.raises(DataError, match="where cameras are known"):
        make_trainer(load(columns), recipe)
    columns = with_camera(columns)
    columns["intrinsics"][5] = np.nan
    with pytest.raises(DataError, match="where cameras are known"):
        make_trainer(load(columns), recipe)


def test_a_root_that_is_not_put_out_is_learned_as_if_it_were_right(columns, load) -> None:
    spec = make_spec()
    kept, removed = (
        make_trainer(load(columns), replace(RECIPE, augment=NO_AUGMENT), spec=one)
        for one in (
            spec,
            replace(
                spec,
                model={**spec.model, "out_joints": 16},
                target=TargetConfig(root="removed"),
            ),
        )
    )
    # The same network, but for the rows of its head that make the root, which say zero.
    weights = {name: value.clone() for name, value in kept.model.state_dict().items()}
    for name in ("shrink.weight", "shrink.bias"):
        weights[name][:3] = 0.0
        kept.model.state_dict()[name].copy_(weights[name])
        weights[name] = weights[name][3:]
    removed.model.load_state_dict(weights)
    for trainer in (kept, removed):
        trainer.model.eval()  # no dropout
    rows, dice = torch.arange(16), Dice(torch.Generator().manual_seed(0), 16)
    losses = [t.step(gathered(t, rows), dice, mirrored=False) for t in (kept, removed)]
    torch.testing.assert_close(losses[0], losses[1])


def test_z_scored_joints_have_no_lengths_to_compare(columns, load) -> None:
    target = TargetConfig(convention="zscore", mean=(0.0,) * 51, std=(1.0,) * 51)
    recipe = replace(RECIPE, loss="mse+limb-length")
    with pytest.raises(UsageError, match="limb-length compares lengths"):
        make_trainer(load(columns), recipe, spec=replace(make_spec(), target=target))


def test_whole_clips_learn_from_all_their_own_frames(columns, load) -> None:
    columns["detected"][40:45] = False
    data = load(columns, starts=(4,))  # four frames, and sixty
    recipe = replace(RECIPE, loss="mpjpe+0.5*velocity+0.1*acceleration", augment=NO_AUGMENT)
    trainer = make_trainer(data, recipe, model=Clips())
    order = trainer.samples.sampler.groups[0]
    batch = trainer.batches.make(gathered(trainer, order), Dice(torch.Generator(), len(order)))
    assert batch.targets.shape == (len(order), 9, 17, 3)
    rows = data.window_rows(order, torch.tensor(trainer.batches.offsets), 25.0)
    learned = rows[batch.mask.all(dim=-1)]
    assert set(learned.tolist()) == {*range(40), *range(45, 64)}
    # Padding of the short track is no frame of its own.
    assert batch.mask[0].any(dim=-1).sum() == 4
    losses = [trainer.run_epoch(quiet) for _ in range(30)]
    assert losses[-1] < losses[0]


def test_a_sequence_of_one_frame_and_windows_longer_than_all_of_them(columns, load) -> None:
    columns = {name: column[:5] for name, column in columns.items()}
    data = load(columns, starts=(1,))
    spec = make_spec(widths=(3, 3, 3))
    assert np.isfinite(make_trainer(data, spec=spec).run_epoch(quiet))
    clips = make_trainer(data, model=Clips(frames=27))
    assert clips.samples_per_epoch == 2
    assert np.isfinite(clips.run_epoch(quiet))


def test_strides_thin_the_samples(columns, load) -> None:
    assert len(make_trainer(load(columns), replace(RECIPE, stride=8)).samples) == 8
    assert len(make_trainer(load(columns), replace(RECIPE, stride=9), model=Clips()).samples) == 8


def test_losses_of_motion_need_an_answer_for_whole_clips(columns, load) -> None:
    with pytest.raises(UsageError, match="whole clips"):
        make_trainer(load(columns), replace(RECIPE, loss="mpjpe+velocity"))


@pytest.mark.parametrize(("task", "n_in", "n_out"), [("2d2d", 9, 2), ("3d3d", 3, 3)])
def test_pre_training_learns_to_make_good_what_is_hidden(columns, load, task, n_in, n_out) -> None:
    data = load(columns)
    recipe = replace(RECIPE, task=task, lr=1e-2, mask=MaskConfig(joints=0.2, frames=0.2))
    trainer = make_trainer(data, recipe, model=Clips(9, n_in, n_out))
    before = trainer.reconstruction_error([data])
    assert before == trainer.reconstruction_error([data])
    for _ in range(60):
        trainer.run_epoch(quiet)
    assert trainer.reconstruction_error([data]) < 0.6 * before


def test_what_is_hidden_does_not_reach_the_network(columns, load) -> None:
    recipe = replace(RECIPE, mask=MaskConfig(joints=0.9, frames=0.0, noise=0.0, noise_m=0.0))
    rows = torch.arange(64)
    for task, sizes in (("2d2d", (9, 2)), ("3d3d", (3, 3))):
        trainer = make_trainer(load(columns), replace(recipe, task=task), model=Clips(1, *sizes))
        batch = trainer.batches.make(
            gathered(trainer, rows), Dice(torch.Generator().manual_seed(1), 64)
        )
        hidden = (batch.features[..., :2] == 0).all(dim=-1)
        assert hidden.float().mean().item() == pytest.approx(0.9, abs=0.06)
        assert (batch.targets != 0).any(dim=-1).float().mean() > 0.9
        if task == "2d2d":  # nor is there any trust in them, nor depth
            assert (batch.features[..., 2][hidden] == -1).all()
            assert not batch.features[..., 3:6][hidden].any()


def test_augmentation_goes_with_pre_training(columns, load) -> None:
    for task, sizes in (("2d2d", (9, 2)), ("3d3d", (3, 3))):
        recipe = replace(RECIPE, task=task, augment=EVERYTHING)
        trainer = make_trainer(load(with_camera(columns)), recipe, model=Clips(9, *sizes))
        assert np.isfinite(trainer.run_epoch(quiet))


def test_a_loss_that_is_not_finite_names_the_batch(columns, load) -> None:
    columns["joints_2d"][37] *= 1e20
    trainer = make_trainer(
        load(columns),
        replace(RECIPE, augment=NO_AUGMENT, batch_size=8),
        name_row="frame {} of my clip".format,
    )
    with torch.no_grad():
        next(trainer.model.parameters()).fill_(torch.nan)
    with pytest.raises(AugliftError, match="loss became nan in epoch 1, step 1") as caught:
        trainer.run_epoch(quiet)
    assert "of my clip" in (caught.value.where or "")
    assert "lr=1e-4" in (caught.value.hint or "")


def test_the_step_and_the_row_that_broke_the_loss_are_found(columns, load) -> None:
    columns["pose_3d"][37, 5] = 1e30
    trainer = make_trainer(load(columns), replace(RECIPE, batch_size=8))
    with pytest.raises(AugliftError, match="the loss became inf in epoch 1") as caught:
        trainer.run_epoch(quiet)
    assert "1e+30, is in the window of row 37" in (caught.value.where or "")


def test_out_of_memory_names_the_knobs(columns, load, monkeypatch) -> None:
    trainer = make_trainer(load(columns))

    def no_memory(*args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")

    monkeypatch.setattr(trainer.batches, "make", no_memory)
    with pytest.raises(DeviceError, match="memory does not suffice") as caught:
        trainer.run_epoch(quiet)
    for knob in ("batch_size", "frames", "precision", "channels"):
        assert knob in (caught.value.hint or "")


def test_unknown_losses_list_the_known_ones(columns, load) -> None:
    with pytest.raises(UsageError, match="unknown loss"):
        make_trainer(load(columns), replace(RECIPE, loss="mpjp"))


def test_progress_counts_samples_and_tells_the_loss(columns, load, monkeypatch) -> None:
    monkeypatch.setattr(trainer_module, "CHECKED_EVERY", 2)
    told: list[tuple[int, str]] = []
    make_trainer(load(columns)).run_epoch(lambda n=1, note="": told.append((n, note)))
    assert [n for n, _ in told] == [16, 16, 16, 16]
    assert [bool(note) for _, note in told] == [False, True, False, True]
    assert told[-1][1].startswith("step 4/4, loss 0.")


def test_a_last_batch_of_one_joins_the_one_before(columns, load) -> None:
    columns = {name: column[:33] for name, column in columns.items()}
    trainer = make_trainer(load(columns))
    assert trainer.steps_per_epoch == 2  # batch norm needs two samples
    assert np.isfinite(trainer.run_epoch(quiet))


class Waiting(TorchDispatchMode):
    """Notes whatever would make the host wait for a GPU: numbers read back, shapes from data."""

    WAITING = frozenset({"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().removeprefix("aten::").partition(".")[0]
        by_mask = name == "index" and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if name in self.WAITING or by_mask:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("variant", ["casp", "xy", "ordinal"])
@pytest.mark.parametrize("task", ["2d3d", "2d2d", "3d3d"])
def test_no_step_waits_for_the_device(columns, load, variant: str, task: str) -> None:
    spec = make_spec(variant)
    sizes = {"2d3d": (len(spec.features.channels), 3), "3d3d": (3, 3)}
    model = Clips(9, *sizes.get(task, (len(spec.features.channels), 2)))
    recipe = replace(
        RECIPE, task=task, augment=EVERYTHING, clip_norm=1.0, ema_decay=0.9,
        loss="mpjpe+limb-length+limb-symmetry+velocity" if task != "2d2d" else "mpjpe+velocity",
    )  # fmt: skip
    trainer = make_trainer(load(with_camera(columns)), recipe, spec, model)
    trainer.run_epoch(quiet)  # constants are made once
    rows, dice = torch.arange(8), Dice(torch.Generator(), 8)
    with Waiting() as waiting:
        trainer.step(gathered(trainer, rows), dice, mirrored=True)
    assert waiting.seen == []
    with Waiting() as waiting:  # the watcher does watch
        assert torch.ones(3)[torch.tensor([True, False, True])].sum().item() == 2.0
    assert len(waiting.seen) >= 2


@pytest.mark.gpu
def test_no_step_waits_for_a_real_device(columns, load) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    data = load(with_camera(columns), device="cuda")
    recipe = replace(RECIPE, augment=EVERYTHING, clip_norm=1.0, ema_decay=0.9, precision="bf16")
    spec = make_spec()
    model = build_model(spec.arch, **spec.model)
    trainer = Trainer(model, spec, table_samples(data, model, spec, recipe), recipe, "cuda")
    trainer.run_epoch(quiet)
    rows = torch.arange(8, device="cuda")
    dice = Dice(torch.Generator("cuda"), 8)
    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer.step(gathered(trainer, rows), dice, mirrored=True)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # of torch's own compiler
def test_a_compiled_network_learns_the_same(columns, load) -> None:
    runs = []
    for compiled in (False, True):
        recipe = replace(RECIPE, compile=compiled, augment=NO_AUGMENT)
        torch.manual_seed(0)  # both begin with the same weights
        trainer = make_trainer(load(columns), recipe, model=Clips())
        trainer.run_epoch(quiet)
        runs.append(weights(trainer))
        assert "layer.weight" in trainer.model.state_dict()
    torch.testing.assert_close(*runs, atol=1e-4, rtol=1e-3)


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


def test_others_may_read_a_checkpoint_as_they_may_any_file(tmp_path: Path) -> None:
    spec = make_spec()
    save_lifter(tmp_path / "lifter.safetensors", build_model(spec.arch, **spec.model), spec)
    (tmp_path / "any").touch()
    modes = [(tmp_path / name).stat().st_mode for name in ("lifter.safetensors", "any")]
    assert modes[0] == modes[1]


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
