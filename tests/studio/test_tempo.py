"""Tempo: curves that pass their keys, repeat, and fill the clip."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.studio.tempo import cycle, ease, key_poses, repetitions, wobble

TIMES = np.arange(0, 20, 0.04)


def test_ease_starts_and_ends_at_rest() -> None:
    share = np.linspace(-0.5, 1.5, 2001)
    eased = ease(share)
    np.testing.assert_allclose(ease(np.array([-1.0, 0.0, 0.5, 1.0, 2.0])), [0, 0, 0.5, 1, 1])
    assert (np.diff(eased) >= 0).all()
    assert np.abs(np.diff(eased, n=2)).max() < 1e-5  # no jump in speed


def test_key_poses_pass_their_keys_and_hold_the_ends() -> None:
    at = np.array([-1.0, 0.2, 0.5, 0.8, 3.0])
    np.testing.assert_allclose(key_poses(at, (0.2, 1.0), (0.5, -2.0), (0.8, 4.0)), [1, 1, -2, 4, 4])


def test_cycle_passes_its_keys_repeats_and_does_not_overshoot() -> None:
    keys = ((0.0, 1.0), (0.3, 5.0), (0.6, 5.0), (0.9, 0.0))
    np.testing.assert_allclose(
        cycle(np.array([0.0, 0.3, 1.6, -0.1]), keys), [1, 5, 5, 0], atol=1e-9
    )
    curve = cycle(np.linspace(0, 2, 500), keys)
    assert curve.min() >= -1e-9
    assert curve.max() <= 5 + 1e-9


def test_wobble_has_the_spread_and_is_slow() -> None:
    curves = wobble(np.random.default_rng(0), np.arange(0, 200, 0.04), 100, 0.5, highest_hz=0.8)
    assert curves.shape == (5000, 100)
    assert curves.std() == pytest.approx(0.5, rel=0.1)
    power = np.abs(np.fft.rfft(curves, axis=0)) ** 2
    rates_hz = np.fft.rfftfreq(5000, 0.04)
    assert power[rates_hz > 1.0].sum() < 0.01 * power.sum()


def test_repetitions_fill_the_clip_without_overlap() -> None:
    goes = repetitions(np.random.default_rng(0), TIMES, 2.0, pause_s=0.4)
    busy = np.sum([(go.share > 0) & (go.share < 1) for go in goes], axis=0)
    assert busy.max() == 1
    assert 0.6 < busy.mean() < 1.0
    assert {go.side for go in goes} == {0, 1}
    for go in goes:
        assert 1.7 <= go.seconds <= 2.3
        np.testing.assert_allclose(np.diff(go.share), 0.04 / go.seconds)
    assert {go.side for go in repetitions(np.random.default_rng(0), TIMES, 2.0, side=1)} == {1}
