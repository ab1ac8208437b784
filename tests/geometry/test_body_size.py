"""Statures and sizes of bodies whose height is known."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.errors import DataError
from auglift.geometry.body_size import bone_lengths, size_factors, stature_m
from auglift.geometry.skeleton import COCO_17, H36M_17
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.motions import make_motion


def motion(seed: int, action: str) -> tuple[float, np.ndarray]:
    rng = np.random.default_rng(seed)
    body = draw_body(rng)
    return body.stature_m, make_motion(action, body, rng, 2.0, 10.0).positions


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("action", ["walk", "squat"])
def test_a_stature_is_found_whatever_the_person_does(seed, action):
    stature, joints = motion(seed, action)
    assert stature_m(joints[:, :17], H36M_17) == pytest.approx(stature, rel=0.015)


@pytest.mark.parametrize("seed", range(5))
def test_without_a_crown_the_legs_say_it_less_exactly(seed):
    stature, joints = motion(seed, "walk")
    coco = joints[:, STUDIO.indices(*COCO_17.joints)]
    assert stature_m(coco, COCO_17) == pytest.approx(stature, rel=0.06)


def test_empty_rows_do_not_count_and_all_empty_is_an_error():
    _, joints = motion(0, "walk")
    holed = joints[:, :17].copy()
    holed[3] = np.nan
    assert stature_m(holed, H36M_17) == pytest.approx(stature_m(joints[:, :17], H36M_17), rel=1e-3)
    with pytest.raises(DataError, match="no pose"):
        stature_m(np.full((2, 17, 3), np.nan), H36M_17)


def test_flickering_sizes_become_their_median():
    _, joints = motion(1, "walk")
    flicker = np.linspace(0.8, 1.2, len(joints))
    flickering = joints[:, :17] * flicker[:, None, None]
    flickering[0] = np.nan
    factors = size_factors(flickering, H36M_17)
    assert np.isnan(factors[0])
    sizes = bone_lengths(flickering * factors[:, None, None], H36M_17)[1:].sum(axis=1)
    np.testing.assert_allclose(sizes, np.median(bone_lengths(flickering, H36M_17)[1:].sum(1)))
