"""Simulated columns: equal to the picture route where nothing is wrong, and honest where it is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from auglift.geometry.descriptor import STATISTICS, describe
from auglift.geometry.skeleton import H36M_17
from auglift.studio.bodies import STUDIO
from auglift.studio.capture import CapturePlan, plan_takes, stage_take
from auglift.studio.noise import NoiseConfig
from auglift.studio.renderer import render
from auglift.studio.scene import CLUTTER, Capsules, Scene
from auglift.studio.simulator import DiscOptions, simulate_person

EVERY_PIXEL = DiscOptions(at_most=None)


@cache
def staged(scene="street", people=1):
    plan = CapturePlan(
        scene=scene,
        subjects={"S1": "train"},
        actions=("reach", "walk"),
        seconds=0.3,
        rate_hz=10.0,
        size=0.25,
        people=people,
        seed=3,
    )
    take = stage_take(plan, plan_takes(plan)[0])
    return take, next(iter(take.cameras.values()))


def simulated(scene="street", people=1, noise=None, discs=None, slot=0, seed=0):
    take, cameras = staged(scene, people)
    rng = np.random.default_rng(seed)
    return simulate_person(take.scene, cameras, 10.0, noise, rng, discs, slot)


@pytest.mark.parametrize(("scene", "people"), [("street", 2), ("wide", 2), ("lab", 1)])
def test_descriptors_are_those_of_the_rendered_depth_map(scene, people):
    """Issue 3: both routes read the same surface. Bound: a tenth of a millimetre."""
    take, cameras = staged(scene, people)
    for slot in range(people):
        found = simulated(scene, people, discs=EVERY_PIXEL, slot=slot).detection
        assert found["detected"].all()
        for i, camera in enumerate(cameras):
            picture = render(take.scene.at(i), camera, seed=0)
            depth_m, valid = describe(
                picture.depth_m, camera.image_wh, found["joints_2d"][i], found["radius_px"][i]
            )
            np.testing.assert_array_equal(found["depth_valid"][i], valid)
            np.testing.assert_allclose(found["depth_m"][i], depth_m, atol=1e-4)


def test_truth_is_that_of_the_take():
    take, cameras = staged("wide", 2)
    truth = simulated("wide", 2, slot=1).truth
    joints = take.joints[1][:, STUDIO.indices(*STUDIO.joints[:17])]
    for i, camera in enumerate(cameras):
        np.testing.assert_array_equal(
            truth["pose_3d"][i], camera.to_camera(joints[i]).astype(np.float32)
        )
        np.testing.assert_array_equal(
            truth["keypoints_2d"][i], camera.project_world(joints[i]).astype(np.float32)
        )
        np.testing.assert_array_equal(truth["intrinsics"][i], camera.intrinsics)
        np.testing.assert_array_equal(truth["rotation"][i], camera.rotation)
        np.testing.assert_array_equal(truth["translation"][i], camera.translation)
        assert tuple(truth["image_wh"][i]) == camera.image_wh
    np.testing.assert_allclose(truth["time_s"], np.arange(len(cameras)) / 10)
    assert truth["visible"].all()


def test_thinned_discs_say_nearly_the_same():
    """The point is exact; extremes of fewer pixels lie within those of all."""
    every, some = (simulated(discs=DiscOptions(at_most=n)).detection["depth_m"] for n in (None, 12))
    column = {name: i for i, name in enumerate(STATISTICS)}
    np.testing.assert_array_equal(every[..., column["point"]], some[..., column["point"]])
    assert (some[..., column["min"]] >= every[..., column["min"]] - 1e-6).all()
    assert (some[..., column["max"]] <= every[..., column["max"]] + 1e-6).all()
    for name in ("median", "min", "low"):
        assert np.quantile(np.abs(some - every)[..., column[name]], 0.9) < 0.03


def test_a_thing_before_a_joint_hides_it():
    """Its depth becomes the thing's and its confidence falls; the far joints stay as they were."""
    take, cameras = staged()
    person = replace(take.scene.people[0], joints=take.scene.people[0].joints[:1])
    wrist = person.joints[0, STUDIO.index("right_wrist")]
    ball = Capsules(*[0.5 * (wrist + cameras[0].centre)[None]] * 2, np.array([0.04]),
                    np.array([CLUTTER], np.int16))  # fmt: skip
    free = replace(take.scene.surroundings, capsules=Capsules(*(a[:0] for a in ball)))
    hidden = replace(free, capsules=ball)
    joint, other = H36M_17.indices("right_wrist", "left_ankle")
    exact, doubtful = [], []
    for things in (free, hidden):
        scene = Scene((person,), things)
        rng = np.random.default_rng(0)
        exact.append(simulate_person(scene, cameras[:1], 10.0, None, rng).detection)
        rng = np.random.default_rng(0)
        doubtful.append(simulate_person(scene, cameras[:1], 10.0, NoiseConfig(), rng).detection)
    middle_m = 0.5 * cameras[0].to_camera(wrist)[2]
    assert exact[1]["depth_m"][0, joint, 0] == pytest.approx(middle_m - 0.04, abs=0.01)
    assert exact[0]["depth_m"][0, joint, 0] > 1.8 * middle_m
    confidence = [found["joint_confidence"][0] for found in doubtful]
    assert confidence[1][joint] < 0.9 * confidence[0][joint]
    np.testing.assert_array_equal(exact[0]["depth_m"][0, other], exact[1]["depth_m"][0, other])
    assert confidence[1][other] == confidence[0][other]


def test_errors_come_from_the_seed_alone():
    noise = NoiseConfig()
    one, again, other = (simulated(noise=noise, seed=seed).detection for seed in (1, 1, 2))
    for name in one:
        np.testing.assert_array_equal(one[name], again[name])
    assert not np.allclose(one["joints_2d"], other["joints_2d"], equal_nan=True)
    exact = simulated()
    for name, values in simulated(noise=noise, seed=1).truth.items():
        np.testing.assert_array_equal(values, exact.truth[name])


def test_who_was_not_detected_has_no_detection():
    found = simulated(noise=NoiseConfig(missed_rate=1.0)).detection
    assert not found["detected"].any()
    assert not found["depth_valid"].any()
    for name in set(found) - {"detected", "depth_valid"}:
        assert np.isnan(found[name]).all(), name


def test_depth_errors_of_a_frame_move_all_joints_alike():
    noise = replace(
        NoiseConfig(),
        **dict.fromkeys(
            ("visible_error", "occluded_error", "outside_error", "pixel_error_px", "lost_rate",
             "swap_rate", "missed_rate", "relief_mean", "relief_error", "tilt_error_deg",
             "shift_error_m", "blur_share", "coarse_error_m", "fine_error_m", "invalid_rate",
             "hole_rate", "confidence_error", "doubt", "occluded_doubt"), 0.0,
        ),
        farthest_m=1000.0,
    )  # fmt: skip
    exact, scaled = (simulated(noise=n).detection["depth_m"] for n in (None, noise))
    ratio = (scaled / exact)[..., 0]
    assert np.ptp(ratio, axis=1).max() < 1e-4
    assert np.abs(np.log(ratio)).max() > 0.01


def test_radii_follow_the_rule_that_is_asked_for():
    paper = simulated(noise=NoiseConfig(), discs=DiscOptions(radius_rule="paper")).detection
    known = paper["detected"]
    expected = 3 + 27 * (1 - np.clip(paper["joint_confidence"][known], 0, 1))
    np.testing.assert_allclose(paper["radius_px"][known], expected, rtol=1e-5)
