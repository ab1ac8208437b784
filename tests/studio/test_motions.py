"""Motions: people who keep their bones, stand on the ground and bend their joints the human way."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.errors import DataError, UsageError
from auglift.studio.bodies import FEET, SIDES, STUDIO, Body, draw_body
from auglift.studio.motions import ACTIONS, Motion, make_motion, mirror, resample, retarget

SEEDS = (0, 1, 2)
FPS = 25.0


@cache
def performed(action: str, seed: int, fps: float = FPS) -> tuple[Body, Motion]:
    rng = np.random.default_rng(seed)
    body = draw_body(rng)
    return body, make_motion(action, body, rng, seconds=4.0, fps=fps)


def joint(motion: Motion, name: str) -> np.ndarray:
    return motion.positions[:, STUDIO.index(name)]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def bone_lengths(motion: Motion) -> np.ndarray:
    parents, children = np.array(STUDIO.bones).T
    return np.linalg.norm(motion.positions[:, children] - motion.positions[:, parents], axis=-1)


def bone_directions(motion: Motion) -> np.ndarray:
    parents, children = np.array(STUDIO.bones).T
    return unit(motion.positions[:, children] - motion.positions[:, parents])


def lowest_flesh(motion: Motion, body: Body) -> float:
    arrays = body.capsule_arrays()
    start, end = arrays.segments(motion.positions)
    return float((np.minimum(start[..., 2], end[..., 2]) - arrays.radius_m).min())


def speed(motion: Motion) -> float:
    steps = np.diff(joint(motion, "pelvis")[:, :2], axis=0) * motion.fps
    return float(np.linalg.norm(steps, axis=-1).mean())


def flexion(motion: Motion, first: str, middle: str, last: str) -> np.ndarray:
    """Degrees by which the bones first–middle–last are bent, 0 when straight."""
    upper = unit(joint(motion, middle) - joint(motion, first))
    lower = unit(joint(motion, last) - joint(motion, middle))
    return np.degrees(np.arccos(np.clip(np.sum(upper * lower, axis=-1), -1, 1)))


def forward(motion: Motion) -> np.ndarray:
    """Where the hips face, horizontally, (T, 3)."""
    left_of = joint(motion, "left_hip") - joint(motion, "right_hip")
    return unit(np.cross(left_of, [0.0, 0.0, 1.0]))


every_action = pytest.mark.parametrize("action", ACTIONS)


@every_action
def test_bone_lengths_are_the_bodys_and_constant(action: str) -> None:
    for seed in SEEDS:
        body, motion = performed(action, seed)
        wanted = body.bone_lengths_m[[child for _, child in STUDIO.bones]]
        np.testing.assert_allclose(bone_lengths(motion), np.tile(wanted, (100, 1)), atol=1e-9)


@every_action
def test_nobody_sinks_into_the_ground(action: str) -> None:
    for seed in range(8):
        body, motion = performed(action, seed)
        assert lowest_flesh(motion, body) > -0.03


@every_action
def test_somebody_always_comes_back_to_the_ground(action: str) -> None:
    """The lowest foot touches z = 0; only jumping, running and hopping leave it for a moment."""
    flight_m = {"run": 0.10, "jump": 0.45, "jumping_jack": 0.10}.get(action, 1e-6)
    for seed in SEEDS:
        body, motion = performed(action, seed)
        lowest = motion.positions[:, STUDIO.indices(*FEET), 2].min(axis=1) - body.sole_m
        assert lowest.min() == pytest.approx(0.0, abs=1e-3)
        assert lowest.max() <= flight_m


@pytest.mark.parametrize("action", ["run", "jump", "jumping_jack"])
def test_both_feet_leave_the_ground(action: str) -> None:
    body, motion = performed(action, 0, fps=50.0)
    lowest = motion.positions[:, STUDIO.indices(*FEET), 2].min(axis=1) - body.sole_m
    assert lowest.max() > 0.02


@every_action
def test_knees_bend_forwards_only(action: str) -> None:
    """About the axis pointing left, the shin turns backwards against the thigh, never forwards."""
    for seed in SEEDS:
        _, motion = performed(action, seed)
        left_of = unit(joint(motion, "left_hip") - joint(motion, "right_hip"))
        for side in SIDES:
            thigh = unit(joint(motion, f"{side}_knee") - joint(motion, f"{side}_hip"))
            shin = unit(joint(motion, f"{side}_ankle") - joint(motion, f"{side}_knee"))
            assert (np.sum(np.cross(thigh, shin) * left_of, axis=-1) > 0).all()
            assert flexion(motion, f"{side}_hip", f"{side}_knee", f"{side}_ankle").max() < 155


@every_action
def test_elbows_bend_forwards_when_the_arm_hangs(action: str) -> None:
    """A raised arm may turn its elbow anywhere; a hanging one bends it forwards or inwards."""
    for seed in SEEDS:
        _, motion = performed(action, seed)
        trunk = unit(joint(motion, "thorax") - joint(motion, "spine"))
        left_of = unit(joint(motion, "left_shoulder") - joint(motion, "right_shoulder"))
        ahead = unit(np.cross(left_of, trunk))
        for side in SIDES:
            names = (f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
            bent = flexion(motion, *names)
            assert bent.max() < 155
            upper = unit(joint(motion, names[1]) - joint(motion, names[0]))
            lower = unit(joint(motion, names[2]) - joint(motion, names[1]))
            aside = lower - np.sum(lower * upper, axis=-1, keepdims=True) * upper
            hanging = (np.sum(upper * trunk, axis=-1) < -np.cos(np.radians(30))) & (bent > 15)
            back = -np.sum(unit(aside) * ahead, axis=-1)
            assert (back[hanging] < 0.5).all()


@every_action
def test_head_is_on_top(action: str) -> None:
    for seed in SEEDS:
        _, motion = performed(action, seed)
        assert (joint(motion, "head")[:, 2] > joint(motion, "thorax")[:, 2]).all()
        assert (joint(motion, "thorax")[:, 2] > joint(motion, "pelvis")[:, 2]).all()


@every_action
def test_nothing_jerks(action: str) -> None:
    """No joint is ever accelerated beyond a hard throw's or a kick's some 350 m/s²."""
    for seed in SEEDS:
        _, motion = performed(action, seed, fps=50.0)
        acceleration = np.diff(motion.positions, n=2, axis=0) * 50.0**2
        assert np.linalg.norm(acceleration, axis=-1).max() < 350


@every_action
def test_same_seed_same_motion_other_seed_other_motion(action: str) -> None:
    body = draw_body(np.random.default_rng(0))
    first, again, other = (
        make_motion(action, body, np.random.default_rng(seed), seconds=1.0) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first.positions, again.positions)
    assert not np.allclose(first.positions, other.positions, atol=0.05)


@pytest.mark.parametrize(("action", "slowest", "fastest"), [("walk", 1.0, 1.6), ("run", 2.5, 3.5)])
def test_speeds_are_natural(action: str, slowest: float, fastest: float) -> None:
    speeds = [speed(performed(action, seed)[1]) for seed in range(8)]
    assert slowest <= min(speeds) < max(speeds) <= fastest
    assert max(speeds) - min(speeds) > 0.1


@pytest.mark.parametrize(("action", "fewest", "most"), [("walk", 1.6, 2.2), ("run", 2.4, 3.1)])
def test_step_rates_are_natural(action: str, fewest: float, most: float) -> None:
    for seed in range(4):
        _, motion = performed(action, seed)
        apart = np.sum(
            (joint(motion, "left_ankle") - joint(motion, "right_ankle")) * forward(motion), -1
        )
        crossings = np.flatnonzero(np.diff(np.sign(apart)))
        steps_hz = (len(crossings) - 1) / (np.ptp(crossings) / motion.fps)
        assert fewest < steps_hz < most


@pytest.mark.parametrize("action", ["walk", "run"])
def test_arms_swing_against_the_legs(action: str) -> None:
    for seed in SEEDS:
        _, motion = performed(action, seed)
        ahead = forward(motion)
        arms = joint(motion, "left_wrist") - joint(motion, "right_wrist")
        legs = joint(motion, "left_ankle") - joint(motion, "right_ankle")
        arms_ahead, legs_ahead = np.sum(arms * ahead, -1), np.sum(legs * ahead, -1)
        assert np.corrcoef(arms_ahead, legs_ahead)[0, 1] < -0.7


@pytest.mark.parametrize("action", ["walk", "turn", "squat", "sit", "reach", "pick_up"])
def test_planted_feet_do_not_slide(action: str) -> None:
    """A heel or toe that carries weight (within 4 mm of the ground) stays where it is."""
    for seed in SEEDS:
        body, motion = performed(action, seed, fps=50.0)
        slips = []
        for name in FEET:
            foot = joint(motion, name)
            down = foot[:, 2] < body.sole_m + 0.004
            slips.append(
                np.linalg.norm(np.diff(foot[:, :2], axis=0), axis=-1)[down[1:] & down[:-1]]
            )
        assert np.percentile(np.concatenate(slips) * motion.fps, 90) < 0.05


def test_walkers_step_with_each_foot_in_turn() -> None:
    body, motion = performed("walk", 1)
    up = {side: joint(motion, f"{side}_ankle")[:, 2] > body.ankle_height_m + 0.06 for side in SIDES}
    assert 0.2 < up["left"].mean() < 0.6
    assert 0.2 < up["right"].mean() < 0.6
    assert not (up["left"] & up["right"]).any()


def test_turn_turns_by_a_quarter_to_a_half() -> None:
    for seed in range(4):
        _, motion = performed("turn", seed)
        ahead = forward(motion)
        heading = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
        turned = np.degrees(abs(heading[-5:].mean() - heading[:5].mean()))
        assert 70 < turned < 200


@pytest.mark.parametrize(
    ("action", "name", "lowest", "highest"),
    [
        ("squat", "pelvis", 0.2, 0.45),
        ("sit", "pelvis", 0.2, 0.36),
        ("lunge", "pelvis", 0.2, 0.45),
        ("pick_up", "pelvis", 0.2, 0.45),
    ],
)
def test_hips_sink_as_the_action_says(
    action: str, name: str, lowest: float, highest: float
) -> None:
    for seed in SEEDS:
        body, motion = performed(action, seed)
        height = joint(motion, name)[:, 2].min() / body.stature_m
        assert lowest < height < highest


def test_gestures_bring_the_hand_where_they_say() -> None:
    for seed in range(4):
        body, motion = performed("wave", seed)
        wrists = np.stack([joint(motion, f"{side}_wrist")[:, 2] for side in SIDES])
        assert wrists.max() > joint(motion, "thorax")[:, 2].max()
        body, motion = performed("pick_up", seed)
        wrists = np.stack([joint(motion, f"{side}_wrist")[:, 2] for side in SIDES])
        assert wrists.min() < 0.17 * body.stature_m
        _, motion = performed("drink", seed)
        away = [
            np.linalg.norm(joint(motion, f"{side}_wrist") - joint(motion, "nose"), axis=-1)
            for side in SIDES
        ]
        assert np.min(away) < 0.22
        body, motion = performed("jumping_jack", seed)
        apart = np.linalg.norm(joint(motion, "left_ankle") - joint(motion, "right_ankle"), axis=-1)
        assert apart.max() > body.hip_width_m + 0.35
        assert joint(motion, "left_wrist")[:, 2].max() > joint(motion, "head")[:, 2].max()


def test_people_face_every_way_near_the_origin() -> None:
    headings = []
    for seed in range(12):
        _, motion = performed("squat", seed)
        ahead = forward(motion)[0]
        headings.append(np.degrees(np.arctan2(ahead[1], ahead[0])))
        assert np.linalg.norm(joint(motion, "pelvis")[:, :2], axis=-1).max() < 1.0
    assert np.ptp(headings) > 180


def test_unknown_action_lists_the_known_ones() -> None:
    body, rng = draw_body(np.random.default_rng(0)), np.random.default_rng(0)
    with pytest.raises(UsageError, match="squat"):
        make_motion("squad", body, rng)


@every_action
def test_a_single_frame_is_a_motion_too(action: str) -> None:
    body, rng = draw_body(np.random.default_rng(0)), np.random.default_rng(0)
    motion = make_motion(action, body, rng, seconds=0.04, fps=25.0)
    assert motion.n_frames == 1
    assert np.isfinite(motion.positions).all()


def test_frames_and_times() -> None:
    _, motion = performed("wave", 0)
    assert motion.n_frames == 100
    assert motion.positions.dtype == np.float64
    np.testing.assert_allclose(motion.times_s[[0, 1, -1]], [0.0, 0.04, 3.96])


# --- mirror, resample, retarget


def test_mirror_twice_is_the_same_and_once_swaps_sides() -> None:
    body, motion = performed("kick", 1)
    once = mirror(motion)
    np.testing.assert_array_equal(mirror(once).positions, motion.positions)
    np.testing.assert_array_equal(
        joint(once, "left_wrist"), joint(motion, "right_wrist") * [-1, 1, 1]
    )
    np.testing.assert_allclose(bone_lengths(once)[0], bone_lengths(motion)[0], atol=1e-9)
    # The left of a mirrored person is still the left of the way they face.
    left_of = joint(once, "left_ear") - joint(once, "right_ear")
    nose = joint(once, "nose") - joint(once, "neck_base")
    assert (np.cross(left_of, [0, 0, 1]) * nose).sum(axis=-1).min() > 0
    assert lowest_flesh(once, body) == pytest.approx(lowest_flesh(motion, body))


@settings(deadline=None, max_examples=20)
@given(scale=st.floats(0.5, 2.0), degree=st.integers(0, 3))
def test_resampling_is_exact_on_polynomials(scale: float, degree: int) -> None:
    times = np.arange(20) / 25.0
    positions = np.repeat((times**degree)[:, None, None], STUDIO.n_joints, 1) * np.ones(3)
    resampled = resample(Motion("test", 25.0, positions), 25.0 * scale)
    assert resampled.fps == 25.0 * scale
    assert resampled.times_s[-1] <= times[-1] + 1e-5
    assert resampled.times_s[-1] > times[-1] - 1 / resampled.fps
    np.testing.assert_allclose(resampled.positions[:, 0, 0], resampled.times_s**degree, atol=1e-5)


def test_resampling_linearly_joins_frames_by_straight_lines() -> None:
    positions = np.zeros((3, STUDIO.n_joints, 3))
    positions[1] = 1.0
    resampled = resample(Motion("test", 1.0, positions), 4.0, kind="linear")
    np.testing.assert_allclose(
        resampled.positions[:, 0, 0], [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0], atol=1e-12
    )
    with pytest.raises(UsageError, match="linear"):
        resample(resampled, 2.0, kind="nearest")


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    _, motion = performed("throw", 0)
    again = resample(motion, motion.fps)
    np.testing.assert_allclose(again.positions, motion.positions, atol=1e-9)
    single = Motion("still", 25.0, motion.positions[:1])
    np.testing.assert_array_equal(resample(single, 50.0).positions, single.positions)


@pytest.mark.parametrize("action", ["walk", "sit", "throw"])
def test_retarget_keeps_directions_and_takes_lengths(action: str) -> None:
    _, motion = performed(action, 0)
    other = draw_body(np.random.default_rng(99))
    moved = retarget(motion, other)
    cosines = np.sum(bone_directions(moved) * bone_directions(motion), axis=-1)
    sines = np.linalg.norm(np.cross(bone_directions(moved), bone_directions(motion)), axis=-1)
    assert np.arctan2(sines, cosines).max() < 1e-6
    wanted = other.bone_lengths_m[[child for _, child in STUDIO.bones]]
    np.testing.assert_allclose(bone_lengths(moved), np.tile(wanted, (100, 1)), atol=1e-9)
    hips = np.linalg.norm(joint(moved, "left_hip") - joint(moved, "right_hip"), axis=-1)
    np.testing.assert_allclose(hips, other.hip_width_m, atol=1e-9)


def test_retarget_scales_the_path_and_stands_on_the_ground() -> None:
    body, motion = performed("walk", 0)
    other = draw_body(np.random.default_rng(99))
    moved = retarget(motion, other)
    assert speed(moved) == pytest.approx(speed(motion) * other.leg_m / body.leg_m, rel=1e-9)
    feet = moved.positions[:, STUDIO.indices(*FEET), 2]
    assert feet.min() == pytest.approx(other.sole_m)
    assert lowest_flesh(moved, other) > -0.03


def test_retarget_to_the_same_body_changes_nothing() -> None:
    body, motion = performed("jump", 2)
    np.testing.assert_allclose(retarget(motion, body).positions, motion.positions, atol=1e-6)


def test_retarget_refuses_a_bone_without_length() -> None:
    body, motion = performed("wave", 0)
    broken = motion.positions.copy()
    broken[7, STUDIO.index("left_wrist")] = broken[7, STUDIO.index("left_elbow")]
    with pytest.raises(DataError, match="left_wrist"):
        retarget(Motion("broken", 25.0, broken), body)
