"""bench/claims/gains.py: relative changes, and whether their intervals are what they say."""

from __future__ import annotations

import gains
import numpy as np
import pytest
from gains import Change, average, change, difference
from measure import About, Measure

FloatArray = np.ndarray


def made_up(errors: FloatArray, counts: FloatArray | None = None, *, tested_on: str = "cmu",
            key: str = "p1") -> Measure:  # fmt: skip
    """A measure whose motions have these mean errors."""
    counts = np.ones_like(errors) if counts is None else counts
    about = About(
        "core", "", "simple", "cmu", "default", tested_on, "default",
        {"features.variant": "xy", "seed": 0}, "x",
    )  # fmt: skip
    names = tuple(f"m{i}" for i in range(len(errors)))
    return Measure(about, names, (key,), (errors * counts)[None], counts[None], {})


def test_a_change_is_of_the_means_over_all_frames() -> None:
    baseline = made_up(np.array([100.0, 50.0]), np.array([1.0, 3.0]))  # mean 62.5
    ours = made_up(np.array([50.0, 50.0]), np.array([1.0, 3.0]))
    assert change([ours], [baseline]).value == pytest.approx(-20.0)


def test_seeds_are_averaged_before_they_are_compared() -> None:
    baselines = [made_up(np.full(3, 100.0)), made_up(np.full(3, 50.0))]
    ours = [made_up(np.full(3, 80.0)), made_up(np.full(3, 55.0))]
    found = change(ours, baselines)
    assert found.value == pytest.approx(100 * (135 - 150) / 150)
    assert found.by_seed == pytest.approx((-20.0, 10.0))


def test_pck_changes_by_points_not_per_cent() -> None:
    baseline, ours = (made_up(np.full(3, value), key="pck") for value in (50.0, 60.0))
    assert change([ours], [baseline], "pck").value == pytest.approx(10.0)


def test_pairing_takes_out_what_motions_differ_in() -> None:
    hard = np.linspace(20.0, 400.0, 40)
    found = change([made_up(0.9 * hard)], [made_up(hard)])
    assert found.interval == pytest.approx((-10.0, -10.0))
    assert found.sure


def test_the_interval_holds_the_truth_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Motions of unequal length and difficulty, of which a few are drawn; −10 % in all of them."""
    monkeypatch.setattr(gains, "RESAMPLES", 300)
    rng = np.random.default_rng(0)
    held = []
    for _ in range(250):
        hard = rng.lognormal(4.5, 0.4, 60)
        counts = rng.integers(20, 200, 60).astype(float)
        ours = 0.9 * hard * rng.normal(1.0, 0.15, 60)
        low, high = change([made_up(ours, counts)], [made_up(hard, counts)]).interval
        held.append(low <= -10.0 <= high)
    assert 0.89 <= np.mean(held) <= 0.985


def test_no_change_is_not_sure() -> None:
    rng = np.random.default_rng(1)
    hard = rng.lognormal(4.5, 0.4, 80)
    assert not change([made_up(hard * rng.normal(1.0, 0.2, 80))], [made_up(hard)]).sure


def test_architectures_share_a_tables_draws_and_tables_have_their_own() -> None:
    rng = np.random.default_rng(2)
    hard, ours = rng.lognormal(4.5, 0.4, 50), rng.lognormal(4.4, 0.4, 50)

    def on(dataset: str) -> Change:
        return change([made_up(ours, tested_on=dataset)], [made_up(hard, tested_on=dataset)])

    def width(found: Change) -> float:
        low, high = found.interval
        return high - low

    same, other = average([on("cmu"), on("cmu")]), average([on("cmu"), on("uiprmd")])
    assert width(same) == pytest.approx(width(on("cmu")))
    assert width(other) == pytest.approx(width(on("cmu")) / np.sqrt(2), rel=0.15)
    assert same.value == other.value == pytest.approx(on("cmu").value)


def test_runs_without_a_partner_are_refused() -> None:
    one = made_up(np.ones(3))
    with pytest.raises(ValueError, match="cannot be paired"):
        change([one, one], [one])


def test_a_change_of_which_one_seed_says_the_contrary_is_not_sure() -> None:
    draws = np.linspace(-3.0, -1.0, 50)
    assert Change(-2.0, draws).sure
    assert Change(-2.0, draws, (-3.0, -1.0)).sure
    assert not Change(-2.0, draws, (-5.0, 1.0)).sure
    mean = average([Change(-2.0, draws, (-5.0, 1.0, 4.0)), Change(-4.0, draws, (-5.0, -3.0))])
    assert mean.by_seed == (-5.0, -1.0)
    assert difference(mean, Change(-1.0, draws, (-1.0, -1.0))).by_seed == (-4.0, 0.0)
