"""Random courses: their spread, their memory, and how often events happen."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.studio.courses import course, happens


def test_a_course_is_normal_and_forgets_at_its_rate():
    drawn = course(np.random.default_rng(0), (400, 600), rate_hz=25.0, memory_s=0.3)
    assert drawn.dtype == np.float32
    assert drawn.std() == pytest.approx(1.0, abs=0.02)
    assert drawn[:1].std() == pytest.approx(1.0, abs=0.1)  # from the first instant on
    for n_steps in (1, 5, 15):
        found = np.mean(drawn[:-n_steps] * drawn[n_steps:])
        assert found == pytest.approx(np.exp(-n_steps / 25.0 / 0.3), abs=0.02)


def test_a_steady_share_never_changes():
    drawn = course(np.random.default_rng(1), (300, 2000), 25.0, 0.1, steady_share=0.4)
    assert drawn.std() == pytest.approx(1.0, abs=0.03)
    assert np.mean(drawn[0] * drawn[-1]) == pytest.approx(0.4, abs=0.05)


def test_without_memory_instants_are_independent():
    drawn = course(np.random.default_rng(2), (1000, 100), 25.0, memory_s=0.0)
    assert np.mean(drawn[1:] * drawn[:-1]) == pytest.approx(0.0, abs=0.01)


def test_events_happen_as_often_as_asked_and_last():
    chance = np.broadcast_to([0.0, 0.1, 0.5, 1.0], (2000, 300, 4))
    now = happens(np.random.default_rng(3), chance, 25.0, memory_s=0.2)
    np.testing.assert_allclose(now.mean(axis=(0, 1)), [0.0, 0.1, 0.5, 1.0], atol=0.01)
    stays = (now[1:, :, 1] & now[:-1, :, 1]).sum() / now[:-1, :, 1].sum()
    assert stays > 0.5  # 0.1 if it had no memory
