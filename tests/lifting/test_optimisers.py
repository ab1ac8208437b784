"""Schedules against closed forms, optimisers by name, running means of weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from auglift.errors import ConfigError, UsageError
from auglift.lifting.ema import Ema
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.optimisers import OPTIMISERS, SCHEDULES, make_optimiser, make_schedule
from auglift.lifting.precision import Precision, usable_precision
from auglift.lifting.recipe import Recipe

STEPS = 10


def rates(recipe: Recipe) -> list[float]:
    """The learning rate of every step of a run."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=recipe.lr)
    schedule = make_schedule(optimiser, recipe, STEPS)
    found = []
    for _ in range(recipe.epochs * STEPS):
        found.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    return found


def test_exponential_falls_by_its_factor_from_epoch_to_epoch() -> None:
    found = rates(Recipe(epochs=4, lr=2.0, lr_decay=0.5))
    assert found == [2.0] * 10 + [1.0] * 10 + [0.5] * 10 + [0.25] * 10


def test_step_waits_for_its_epochs() -> None:
    found = rates(Recipe(epochs=6, lr=1.0, schedule="step", step_epochs=3, lr_decay=0.1))
    assert found == pytest.approx([1.0] * 30 + [0.1] * 30)
    assert set(rates(Recipe(epochs=2, lr=1.0, schedule="constant"))) == {1.0}


def test_cosine_warms_up_and_ends_at_nothing() -> None:
    found = rates(Recipe(epochs=12, lr=1.0, schedule="cosine", warmup_epochs=2.0))
    assert found[0] == pytest.approx(0.1)
    assert found[10] == pytest.approx(0.55)
    assert found[20] == pytest.approx(1.0)
    assert found[70] == pytest.approx(0.5)
    assert found[119] == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.99)))
    assert max(found) == pytest.approx(1.0)


def test_one_cycle_rises_and_falls() -> None:
    found = rates(Recipe(epochs=10, lr=1.0, schedule="one-cycle"))
    assert found[0] == pytest.approx(1 / 25)
    assert found[30] == pytest.approx(1.0)
    assert found[-1] < 1e-3
    assert found[:31] == sorted(found[:31])
    assert found[30:] == sorted(found[30:], reverse=True)


@pytest.mark.parametrize("name", sorted(OPTIMISERS))
def test_optimisers_minimise(name: str) -> None:
    layer = nn.Linear(3, 1, bias=False)
    optimiser = make_optimiser(layer, Recipe(optimiser=name, lr=0.05, weight_decay=0.0))
    for _ in range(200):
        loss = (layer.weight - torch.tensor([[1.0, -2.0, 3.0]])).square().sum()
        Precision("fp32", "cpu").step(loss, layer, optimiser, clip_norm=0.0)
    torch.testing.assert_close(layer.weight.data, torch.tensor([[1.0, -2.0, 3.0]]), atol=0.05,
                               rtol=0.0)  # fmt: skip


def test_gradients_are_clipped_as_a_whole() -> None:
    layer = nn.Linear(2, 1, bias=False)
    before = layer.weight.detach().clone()
    recipe = Recipe(optimiser="sgd", lr=1.0, weight_decay=0.0, momentum=0.0)
    loss = (layer.weight * torch.tensor([[30.0, 40.0]])).sum()
    Precision("fp32", "cpu").step(loss, layer, make_optimiser(layer, recipe), clip_norm=1.0)
    torch.testing.assert_close(before - layer.weight.data, torch.tensor([[0.6, 0.8]]))


def test_unknown_names_list_the_known_ones() -> None:
    layer = nn.Linear(2, 1)
    with pytest.raises(UsageError, match="unknown optimiser"):
        make_optimiser(layer, Recipe(optimiser="lion"))  # type: ignore[arg-type]
    optimiser = make_optimiser(layer, Recipe())
    with pytest.raises(UsageError, match="unknown schedule") as caught:
        make_schedule(optimiser, Recipe(schedule="cosin"), 1)  # type: ignore[arg-type]
    assert all(name in (caught.value.hint or "") for name in SCHEDULES)


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"batch_size": 0}, {"lr": 0.0}, {"lr_decay": -1.0}, {"ema_decay": 1.0},
     {"clip_norm": -1.0}, {"stride": 0}, {"patience": -1}],
)  # fmt: skip
def test_numbers_that_mean_nothing_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Recipe(**wrong)


class Tiny(LifterModel):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)


def test_the_running_mean_follows_with_its_delay() -> None:
    model = Tiny()
    ema = Ema(model, decay=0.5)
    expected = torch.ones(2)
    for step in range(12):
        with torch.no_grad():
            model.norm.weight.fill_(float(step))
            model.norm.running_mean.fill_(float(step))  # type: ignore[union-attr]
        past = min(0.5, (1 + step) / (10 + step))
        expected = past * expected + (1 - past) * step
        ema.update(model)
    torch.testing.assert_close(ema.model.norm.weight, expected)
    assert ema.model.norm.running_mean.tolist() == [11.0, 11.0]
    again = Ema(Tiny(), decay=0.5)
    again.load_state(ema.state())
    again.update(model)
    ema.update(model)
    assert torch.equal(again.model.norm.weight, ema.model.norm.weight)
    assert not again.model.norm.weight.requires_grad


def test_precision_is_switched_off_with_a_word_where_it_is_no_use(caplog, monkeypatch) -> None:
    assert usable_precision("fp32", "cpu") == "fp32"
    assert usable_precision("fp16", "cpu") == "fp32"
    assert usable_precision("bf16", "mps") == "fp32"
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert usable_precision("bf16", "cpu") == "fp32"
    assert len(caplog.records) == 3
    assert "switched off" in caplog.text
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert usable_precision("bf16", "cpu") == "bf16"


def test_networks_reckon_in_what_was_asked_for() -> None:
    layer, x = nn.Linear(4, 4), torch.ones(2, 4)
    for kind, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with Precision(kind, "cpu").reckoning():
            assert layer(x).dtype == dtype
        assert layer.weight.dtype == torch.float32
