"""Depth is the truth times one factor for each picture, save near silhouettes, where it is blurred.

"Away from silhouettes" means that within 2.5 network pixels all around the person's depth changes
by less than 12 cm.
"""

from __future__ import annotations

import importlib
import math

import numpy as np
import pytest

from auglift.config import models_zoo_folder
from auglift.detection.depth import DepthEstimator
from auglift.studio.palette import FAR_M, LEVEL_M, NEAR_M, encode_depth


@pytest.fixture(scope="module")
def estimate(network):
    return DepthEstimator(network("virtual-depth"), kind="metric", target_px=252).estimate


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(models_zoo_folder()))
    return importlib.import_module("make_virtual_networks")


@pytest.mark.parametrize(
    ("scene", "size", "seeds"),
    [
        ("lab", 0.15, range(8)),
        ("lab", 0.4, range(4)),
        ("street", 0.15, range(17)),
        ("street", 0.3, range(10)),
        ("street", 0.6, range(4)),
    ],
)
def test_depth_inside_a_body(shoot, estimate, script, scene, size, seeds):
    factors = []
    for shot in shoot(scene, size, seeds):
        (depth,) = estimate([shot.picture.rgb])
        network_px = shot.camera.image_wh[0] / depth.values.shape[1]
        pixels, true_m = shot.smooth_body(max(2, math.ceil(2.5 * network_px)), most_m=0.12)
        if len(pixels) < 10:
            continue
        ratio = depth.sample(pixels) / true_m
        factors.append(np.median(ratio))
        assert np.abs(ratio / factors[-1] - 1).max() < 0.03, shot.name
    assert len(factors) >= 4
    # Rounding to levels of 4.7 cm moves the factor itself by some tenths of a percent.
    assert np.abs(np.array(factors) - 1).max() < script.SCALE_ERROR + 0.005
    assert np.std(factors) > 0.03


def flat_picture(depth_m, red=116, wh=(60, 60)):
    picture = np.full((wh[1], wh[0], 3), red, np.uint8)
    picture[..., 2] = encode_depth(np.full(wh[::-1], depth_m))
    return picture


@pytest.mark.parametrize("red", [60, 116, 117, 200])
def test_the_factor_is_what_the_script_states(estimate, script, red):
    wanted = 1 + script.SCALE_ERROR * np.sin(script.SCALE_FREQUENCY * red)
    for depth_m in (1.0, 4.0, 9.0):
        picture = flat_picture(depth_m, red)
        stored_m = NEAR_M + LEVEL_M * picture[0, 0, 2]
        (depth,) = estimate([picture])
        np.testing.assert_allclose(depth.values, wanted * stored_m, rtol=1e-3)


def test_what_is_too_near_or_too_far_stops_at_the_ends_of_the_scale(estimate, script):
    factor = 1 + script.SCALE_ERROR * np.sin(script.SCALE_FREQUENCY * 116)
    near, far = estimate([flat_picture(0.1), flat_picture(np.inf)])
    np.testing.assert_allclose(near.values, factor * NEAR_M, rtol=1e-3)
    np.testing.assert_allclose(far.values, factor * FAR_M, rtol=1e-3)


def test_silhouettes_are_blurred_over_three_network_pixels(estimate):
    picture = flat_picture(2.0, wh=(252, 252))
    picture[:, 126:, 2] = encode_depth(np.full((252, 126), 8.0))
    (depth,) = estimate([picture])
    row = depth.values[100] / depth.values[100, 0]
    far = row[-1]
    between = (row > 1.02) & (row < far - 0.02)
    assert np.flatnonzero(between).tolist() == [125, 126]
    np.testing.assert_allclose(row[125:127], [1 + (far - 1) / 3, 1 + 2 * (far - 1) / 3], rtol=1e-3)


def test_pictures_of_any_size_and_batch_are_read_alike(estimate, shoot):
    shots = shoot("street", 0.15, range(17))[:3]
    pictures = [shot.picture.rgb for shot in shots]
    for together, alone in zip(
        estimate(pictures), [estimate([picture])[0] for picture in pictures], strict=True
    ):
        np.testing.assert_allclose(together.values, alone.values, rtol=1e-5)
