"""The noise parameters and their levels, and what the two models make of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from auglift.errors import ConfigError, UsageError
from auglift.geometry.skeleton import COCO_17
from auglift.studio.depth_noise import DiscRays, estimate, places
from auglift.studio.detector_noise import Sight, detect_exactly, detect_with_errors
from auglift.studio.noise import NoiseConfig

N = 1200
DEFAULT = NoiseConfig()
NO_DEPTH_ERROR = replace(
    DEFAULT,
    **dict.fromkeys(
        ("scale_error", "shift_error_m", "relief_mean", "relief_error", "tilt_error_deg",
         "blur_share", "coarse_error_m", "fine_error_m", "invalid_rate", "hole_rate"),
        0.0,
    ),
)  # fmt: skip


# ------------------------------------------------------------------------------ parameters


def test_levels_scale_errors_and_leave_the_rest():
    half, double = DEFAULT.at_level("half"), DEFAULT.at_level("double")
    assert (half.scale_error, double.scale_error) == (0.06, 0.24)
    assert double.relief_mean == 2 * DEFAULT.relief_mean
    assert double.error_memory_s == half.error_memory_s == DEFAULT.error_memory_s
    assert double.farthest_m == DEFAULT.farthest_m
    assert DEFAULT.at_level("default") == DEFAULT
    assert DEFAULT.at_level("none") is None


def test_wrong_parameters_are_refused():
    with pytest.raises(UsageError, match="noise level 'loud'"):
        DEFAULT.at_level("loud")
    with pytest.raises(ConfigError, match="blur_share"):
        NoiseConfig(blur_share=-0.1)
    with pytest.raises(ConfigError, match="steady_share"):
        NoiseConfig(steady_share=1.5)
    assert NoiseConfig(relief_mean=-0.3).relief_mean == -0.3


# ------------------------------------------------------------------------------ 2D detector


def standing_person(n=N, offset_px=0.0):
    """COCO-17 of somebody upright, 400 px tall, 235 px to the metre, before a camera."""
    rng = np.random.default_rng(5)
    up = dict(nose=1.6, eye=1.63, ear=1.6, shoulder=1.4, elbow=1.1, wrist=0.9, hip=0.95, knee=0.5)
    out = dict(nose=0.0, eye=0.03, ear=0.07, shoulder=0.18, elbow=0.25, wrist=0.3, hip=0.1)
    points = []
    for joint in COCO_17.joints:
        part, side = joint.rpartition("_")[2], -1 if joint.startswith("left") else 1
        points.append([500 - side * 235 * out.get(part, 0.1), 800 - 235 * up.get(part, 0.08)])
    swaying = np.array(points) + 3 * rng.normal(size=(n, 1, 2)) + [offset_px, 0]
    hidden = np.zeros((n, 17), bool)
    return Sight(swaying, hidden, np.full(n, 235.0), (1000, 1000), 25.0)


def relative_error(found, sight):
    """(T, 17) distance from the truth in shares of the person's height."""
    return np.linalg.norm(found.keypoints_px - sight.points_px, axis=-1) / 400


def test_the_exact_detector_is_exact():
    sight = standing_person()
    found = detect_exactly(sight)
    np.testing.assert_allclose(found.keypoints_px, sight.points_px, atol=1e-4)
    assert (found.confidence == 1).all()
    assert found.detected.all()
    nobody = detect_exactly(standing_person(offset_px=2000))
    assert not nobody.detected.any()
    assert np.isnan(nobody.keypoints_px).all()


def test_errors_are_of_the_stated_size_and_grow_with_the_level():
    sight = standing_person()
    levels = {
        level: relative_error(
            detect_with_errors(sight, DEFAULT.at_level(level), np.random.default_rng(0)), sight
        )
        for level in ("half", "default", "double")
    }
    means = {level: np.nanmean(error) for level, error in levels.items()}
    assert 0.01 < means["default"] < 0.03  # in sight; 2.6 % with every fifth joint occluded
    assert means["half"] < 0.7 * means["default"]
    assert means["double"] > 1.5 * means["default"]


def test_errors_have_heavy_tails():
    sight = standing_person(n=1)
    quiet = replace(DEFAULT, lost_rate=0.0, swap_rate=0.0, missed_rate=0.0)

    def tail(noise):
        """99th percentile in medians of one joint's error: 2.6 where errors are normal."""
        rng, wrist = np.random.default_rng(0), COCO_17.index("left_wrist")
        found = [detect_with_errors(sight, noise, rng) for _ in range(700)]
        errors = [relative_error(one, sight)[0, wrist] for one in found]
        return np.percentile(errors, 99) / np.median(errors)

    assert tail(quiet) > 3.3
    assert tail(replace(quiet, error_tail=0.0)) < 2.9


def test_what_is_hidden_is_found_worse_and_with_less_confidence():
    sight = standing_person()
    knees = COCO_17.indices("left_knee", "right_knee")
    sight.hidden[:, knees[0]] = True
    found = detect_with_errors(sight, DEFAULT, np.random.default_rng(0))
    error = np.nanmedian(relative_error(found, sight)[:, knees], axis=0)
    confidence = np.nanmean(found.confidence[:, knees], axis=0)
    assert error[0] > 2 * error[1]
    assert confidence[0] < 0.75 * confidence[1]


def test_confidence_is_less_where_the_error_is_more():
    sight = standing_person()
    sight.hidden[:] = np.random.default_rng(1).random(sight.hidden.shape) < 0.2
    found = detect_with_errors(sight, DEFAULT, np.random.default_rng(0))
    error = relative_error(found, sight)
    known = np.isfinite(error)
    r = np.corrcoef(np.log(error[known]), found.confidence[known])[0, 1]
    assert -0.9 < r < -0.4
    assert 0.65 < found.confidence[known].mean() < 0.85  # 0.74 in the study
    assert found.confidence[known].max() > 1.0  # as RTMPose's may be


def test_a_small_person_is_found_less_exactly_in_proportion():
    large = standing_person()
    small = replace(
        large, points_px=500 + 0.1 * (large.points_px - 500), px_per_m=0.1 * large.px_per_m
    )
    errors = [
        np.nanmedian(
            np.linalg.norm(
                detect_with_errors(sight, DEFAULT, np.random.default_rng(0)).keypoints_px
                - sight.points_px,
                axis=-1,
            )
            / sight.px_per_m[:, None]
        )
        for sight in (large, small)
    ]
    assert errors[1] > 1.5 * errors[0]


def test_nothing_is_found_beyond_the_crop_and_truncation_costs_confidence():
    sight = standing_person(offset_px=510)  # the left half of the body is out of the picture
    found = detect_with_errors(sight, DEFAULT, np.random.default_rng(0))
    outside, there = ~sight.inside, found.detected[:, None]
    assert 0.3 < outside.mean() < 0.7
    confidence = found.confidence
    assert confidence[outside & there].mean() < 0.5 * confidence[~outside & there].mean()
    box = found.box_xyxy[found.detected]
    assert box.min() >= 0
    assert box.max() <= 1000
    # The crop is the box of what is in the picture, a quarter larger and 3 : 4.
    assert np.nanmax(found.keypoints_px[..., 0]) < 1000 + 0.4 * 450


def test_limbs_are_swapped_where_they_overlap_and_only_there():
    apart = standing_person()
    ankles = COCO_17.indices("left_ankle", "right_ankle")
    wrists = COCO_17.indices("left_wrist", "right_wrist")
    points = apart.points_px.copy()
    for left, right in (("left_ankle", "right_ankle"), ("left_knee", "right_knee")):
        for joint, sign in ((left, 1), (right, -1)):
            points[:, COCO_17.index(joint), 0] = 500 + sign * 8
    noise = replace(DEFAULT, visible_error=0.0, pixel_error_px=0.0, lost_rate=0.0, swap_rate=0.5)
    sight = replace(apart, points_px=points)
    found = detect_with_errors(sight, noise, np.random.default_rng(0)).keypoints_px
    order = found[:, ankles[0], 0] > found[:, ankles[1], 0]
    swapped = 1 - order[np.isfinite(found[:, 0, 0])].mean()
    assert 0.3 < swapped < 0.6
    moved = np.abs(found[:, wrists] - points[:, wrists]).max(axis=(1, 2)) > 1
    assert moved.mean() < 0.01


def test_lost_joints_are_anywhere_and_missed_people_are_nowhere():
    sight = standing_person()
    quiet = replace(DEFAULT, visible_error=0.0, pixel_error_px=0.0, swap_rate=0.0)
    found = detect_with_errors(sight, replace(quiet, lost_rate=0.2), np.random.default_rng(0))
    error = relative_error(found, sight)
    lost = error > 0.02
    assert lost.mean() == pytest.approx(0.2, abs=0.05)
    assert found.confidence[lost].max() < 0.3
    found = detect_with_errors(sight, replace(quiet, missed_rate=0.3), np.random.default_rng(0))
    assert 1 - found.detected.mean() == pytest.approx(0.3, abs=0.1)
    for values in (found.keypoints_px, found.confidence, found.box_xyxy, found.box_score):
        assert np.isnan(values[~found.detected]).all()
        assert np.isfinite(values[found.detected]).all()


def test_a_person_partly_behind_the_camera_is_not_detected():
    sight = standing_person()
    sight.points_px[::2, 3] = np.nan
    for found in (
        detect_exactly(sight),
        detect_with_errors(sight, replace(DEFAULT, missed_rate=0.0), np.random.default_rng(0)),
    ):
        assert not found.detected[::2].any()
        assert found.detected[1::2].all()


def test_the_box_holds_the_keypoints_in_the_picture():
    sight = standing_person()
    noise = replace(DEFAULT, box_error=0.0)
    found = detect_with_errors(sight, noise, np.random.default_rng(0))
    points, box = found.keypoints_px[found.detected], found.box_xyxy[found.detected]
    assert (points >= box[:, None, :2]).all()
    assert (points <= box[:, None, 2:]).all()
    assert np.median(box[:, 3] - box[:, 1]) == pytest.approx(400 + 2 * 0.12 * 235, rel=0.1)


# ------------------------------------------------------------------------------ depth network


def disc_rays(n_times=200, spacing_px=6):
    """One disc of 25 pixels in each of `n_times` instants; the root is 100 px left of it."""
    lattice = np.stack(np.meshgrid(np.arange(-2, 3), np.arange(-2, 3)), -1).reshape(-1, 2)
    pixels = 500 + spacing_px * np.tile(lattice, (n_times, 1))
    return DiscRays(
        pixels=pixels.astype(np.float32),
        owner=np.repeat(np.arange(n_times), 25),
        instant=np.arange(n_times),
        root_px=np.tile([400.0, 500.0], (n_times, 1)),
        root_m=np.full(n_times, 4.0),
        px_per_m=np.full(n_times, 250.0),
        picture_wh=(1000, 1000),
        rate_hz=25.0,
    )


def estimated(rays, true_m, noise, seed=0):
    """The network's depth of a surface `true_m(places)`."""
    rng = np.random.default_rng(seed)
    through = places(rays, noise, rng)
    return estimate(rays, through, true_m(through).astype(np.float32), noise, rng)


def slope(places_px):
    return 4 + 0.001 * (places_px[:, 0] - 400)


def test_without_errors_depth_is_the_surfaces():
    rays = disc_rays()
    found = estimated(rays, slope, NO_DEPTH_ERROR)
    np.testing.assert_allclose(found, slope(rays.pixels), rtol=1e-6)


def test_scale_and_shift_are_one_for_each_frame_and_as_large_as_stated():
    rays = disc_rays(n_times=1000)
    for name, size, memory in (("scale_error", 0.12, 1.0), ("shift_error_m", 0.15, 1.0)):
        noise = replace(
            NO_DEPTH_ERROR, **{name: size}, depth_memory_s=0.01 * memory, steady_share=0.0
        )
        found = estimated(rays, lambda p: np.full(len(p), 4.0), noise).reshape(-1, 25)
        assert np.ptp(found, axis=1).max() < 1e-5
        error = np.log(found[:, 0] / 4) if name == "scale_error" else found[:, 0] - 4
        assert error.std() == pytest.approx(size, rel=0.1)
        assert abs(error.mean()) < 0.1 * size


def test_relief_is_flattened_about_the_root():
    noise = replace(NO_DEPTH_ERROR, relief_mean=np.log(0.5))
    rays = disc_rays()
    found = estimated(rays, slope, noise)
    np.testing.assert_allclose(found, 4 + 0.5 * (slope(rays.pixels) - 4), rtol=1e-5)


def test_a_tilt_grows_with_the_distance_from_the_root():
    noise = replace(NO_DEPTH_ERROR, tilt_error_deg=8.0, steady_share=0.0, depth_memory_s=0.01)
    rays = disc_rays(n_times=1000)
    found = estimated(rays, lambda p: np.full(len(p), 4.0), noise) - 4
    across_m = (rays.pixels[:, 0] - 400) / 250
    per_m = found.reshape(-1, 25)[:, 12] / across_m.reshape(-1, 25)[:, 12]
    assert np.degrees(np.arctan(per_m)).std() == pytest.approx(8.0, rel=0.15)


def test_silhouettes_bleed_as_a_gaussian_of_the_stated_width():
    """An edge at x = 500 between 3 m and 6 m, against the blur of its logarithm."""
    noise = replace(NO_DEPTH_ERROR, blur_share=0.008)
    rays = disc_rays(n_times=3000)
    found = estimated(rays, lambda p: np.where(p[:, 0] < 500.5, 3.0, 6.0), noise)
    for column in range(5):
        x = 500 + 6 * (column - 2)
        far_share = norm.cdf((x - 500.5) / 8.0)
        expected = np.log(3) + far_share * np.log(2)
        mean = np.log(found.reshape(-1, 5, 5)[:, :, column]).mean()
        assert mean == pytest.approx(expected, abs=0.04)  # of log 2 = 0.69 between the two
    between = (found > 3.2) & (found < 5.6)
    assert between.mean() > 0.5  # neither the one nor the other, as flying pixels are


def test_patches_have_the_stated_size_and_hang_together():
    rays = disc_rays(n_times=1000, spacing_px=3)
    for name, nearby in (("coarse_error_m", 0.9), ("fine_error_m", 0.2)):
        noise = replace(NO_DEPTH_ERROR, **{name: 0.03})
        error = np.stack(
            [estimated(rays, lambda p: np.full(len(p), 4.0), noise, seed) - 4 for seed in range(20)]
        )
        assert error.std() == pytest.approx(0.03, rel=0.2)
        discs = error.reshape(-1, 25)
        assert np.corrcoef(discs[:, 0], discs[:, 1])[0, 1] > nearby


def test_pixels_and_whole_discs_are_missing_as_often_as_stated():
    rays = disc_rays(n_times=4000)
    found = estimated(rays, slope, replace(NO_DEPTH_ERROR, invalid_rate=0.1, hole_rate=0.05))
    missing = np.isnan(found).reshape(-1, 25)
    holes = missing.all(axis=1)
    assert holes.mean() == pytest.approx(0.05, abs=0.02)
    assert missing[~holes].mean() == pytest.approx(0.1, abs=0.01)


def test_the_sky_is_as_far_as_the_network_knows():
    found = estimated(disc_rays(), lambda p: np.full(len(p), np.inf), NO_DEPTH_ERROR)
    np.testing.assert_allclose(found, 20.0, rtol=1e-6)
