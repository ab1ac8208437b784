from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auglift.errors import UsageError
from auglift.geometry.descriptor import (
    STATISTICS,
    describe,
    disc_pixels,
    nearest_pixels,
    radius_px,
    summarise,
    torso_size_px,
)
from auglift.geometry.skeleton import COCO_17, H36M_17

quick = settings(deadline=None, max_examples=50)
sizes = st.integers(1, 40)
# Halves meet circles exactly; tenths just miss them by rounding; smaller numbers than 1e-9 have
# squares that vanish.
coordinates = st.one_of(
    st.floats(-45, 85).filter(lambda x: x == 0 or abs(x) > 1e-9),
    st.integers(-90, 170).map(lambda n: n / 2),
    st.integers(-450, 850).map(lambda n: n / 10),
    st.just(float("nan")),
)
radii = st.one_of(
    st.floats(0, 20), st.integers(0, 15).map(float), st.integers(0, 150).map(lambda n: n / 10)
)


def brute_pixels(x: float, y: float, radius: float, picture_wh: tuple[int, int]):
    width, height = picture_wh
    return [
        (column, row)
        for row in range(height)
        for column in range(width)
        if (column - x) ** 2 <= radius**2 - (row - y) ** 2
    ]


def brute_describe(full, points, radii, quantiles):
    height, width = full.shape
    rows, valid = [], []
    for (x, y), radius in zip(points, radii, strict=True):
        pixels = brute_pixels(x, y, radius, (width, height))
        depths = np.array([full[row, column] for column, row in pixels], dtype=np.float64)
        depths = depths[np.isfinite(depths) & (depths > 0)]
        valid.append(len(depths) > 0)
        if not valid[-1]:
            rows.append([np.nan] * 6)
            continue
        column = int(np.floor(min(max(x, 0), width - 1) + 0.5))
        row = int(np.floor(min(max(y, 0), height - 1) + 0.5))
        point = float(full[row, column])
        summary = [np.quantile(depths, q) for q in (0.5, 0.0, 1.0, *quantiles)]
        rows.append([point if np.isfinite(point) and point > 0 else summary[0], *summary])
    return np.array(rows).reshape(-1, 6), np.array(valid, dtype=bool)


# --- radius -------------------------------------------------------------------------------------


def test_paper_radius_is_linear_in_doubt_and_ignores_size():
    confidence = np.array([[1.0, 0.5, 0.0]])
    np.testing.assert_allclose(
        radius_px(confidence, np.array([77.0]), "paper", 4.0, 24.0), [[4.0, 14.0, 24.0]]
    )


def test_code_radius_equals_published_values():
    # Worked out from the published formula for torsos of 120 and 200 px.
    confidence = np.array([[1.0, 0.7, 0.5, 0.3], [1.0, 0.7, 0.5, 0.0]])
    expected = [
        [4.8, 4.8 * 1.9**1.5, 4.8 * 2.5**1.5, 4.8 * 3.1**1.5],
        [8.0, 8.0 * 1.9**1.5, 30.0, 30.0],
    ]
    np.testing.assert_allclose(radius_px(confidence, np.array([120.0, 200.0])), expected)
    assert radius_px(np.array([1.0]), np.array(1.0))[0] == 3.0


@pytest.mark.parametrize("rule", ["paper", "code"])
def test_confidence_outside_its_range_is_clamped(rule: str):
    odd = np.array([1.7, np.inf, -0.4, -np.inf, np.nan])
    plain = np.array([1.0, 1.0, 0.0, 0.0, 0.0])
    size = np.array(100.0)
    np.testing.assert_array_equal(radius_px(odd, size, rule), radius_px(plain, size, rule))


def test_unknown_radius_rule_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"did you mean 'paper'.*known: code, paper"):
        radius_px(np.ones(3), np.ones(()), "papier")


def test_torso_is_pelvis_to_thorax():
    joints = np.zeros((2, 17, 2))
    joints[:, H36M_17.index("pelvis")] = (100, 200)
    joints[0, H36M_17.index("thorax")] = (130, 160)
    joints[1, H36M_17.index("thorax")] = (100, 260)
    np.testing.assert_allclose(torso_size_px(joints, H36M_17), [50.0, 60.0])


def test_torso_without_a_thorax_uses_the_shoulders():
    joints = np.zeros((17, 2))
    joints[COCO_17.indices("left_hip", "right_hip")] = [(90, 200), (110, 200)]
    joints[COCO_17.indices("left_shoulder", "right_shoulder")] = [(80, 100), (120, 100)]
    assert torso_size_px(joints, COCO_17) == pytest.approx(100.0)


def test_degenerate_torso_falls_back_to_a_tenth_of_the_box():
    joints = np.full((3, 17, 2), 50.0)
    joints[:, H36M_17.index("head")] = (50, 450)
    joints[:, H36M_17.index("right_ankle")] = (250, 50)
    joints[1, H36M_17.index("thorax")] = np.nan
    joints[2] = np.nan
    np.testing.assert_allclose(torso_size_px(joints, H36M_17), [40.0, 40.0, np.nan])


# --- disc ---------------------------------------------------------------------------------------


@quick
@given(st.lists(st.tuples(coordinates, coordinates, radii), max_size=4), sizes, sizes)
@example([(10.1, 5.0, 0.9), (10.9, 5.0, 0.9)], 30, 30)  # 11 − 10.1 is a trifle more than 0.9
def test_disc_pixels_are_exactly_those_within_the_radius(discs, width: int, height: int):
    table = np.array(discs, dtype=np.float64).reshape(-1, 3)
    pixels = disc_pixels(table[:, :2], table[:, 2], (width, height))
    expected = [
        (i, *pixel)
        for i, (x, y, radius) in enumerate(discs)
        for pixel in brute_pixels(x, y, radius, (width, height))
    ]
    found = [(i, *pixel) for i, pixel in zip(pixels.owner, pixels.xy.tolist(), strict=True)]
    assert found == expected


@quick
@given(
    st.lists(st.tuples(coordinates, coordinates, radii), max_size=4),
    sizes,
    sizes,
    st.integers(1, 40),
)
def test_thinned_disc_is_a_regular_part_of_the_disc(discs, width, height, at_most):
    table = np.array(discs, dtype=np.float64).reshape(-1, 3)
    whole = disc_pixels(table[:, :2], table[:, 2], (width, height))
    thin = disc_pixels(table[:, :2], table[:, 2], (width, height), at_most=at_most)
    near = nearest_pixels(table[:, :2], (width, height))
    for i in range(len(discs)):
        full = set(map(tuple, whole.xy[whole.owner == i].tolist()))
        part = thin.xy[thin.owner == i]
        assert set(map(tuple, part.tolist())) <= full
        assert len(part) <= at_most
        assert (len(part) > 0) == (len(full) > 0)
        if len(part) > 1:
            offsets = part - near[i]
            step = np.gcd.reduce(offsets, axis=None)
            lattice = {p for p in full if not ((np.array(p) - near[i]) % step).any()}
            assert set(map(tuple, part.tolist())) == lattice


def test_thinning_keeps_small_discs_whole_and_uses_most_of_the_allowance():
    points = np.tile([[60.0, 60.0]], (4, 1))
    radii = np.array([3.0, 8.0, 15.0, 30.0])
    thin = disc_pixels(points, radii, (121, 121), at_most=37)
    count = np.bincount(thin.owner)
    assert count[0] == len(brute_pixels(60, 60, 3.0, (121, 121)))
    assert (count >= 21).all()


def test_thinning_never_leaves_more_than_allowed():
    point, radius = np.array([[20.11, 20.63]]), np.array([3.4])  # area 36.3, yet 38 pixels
    assert len(disc_pixels(point, radius, (50, 50)).owner) == 38
    assert 0 < len(disc_pixels(point, radius, (50, 50), at_most=37).owner) <= 37


def test_pattern_does_not_depend_on_the_other_discs():
    rng = np.random.default_rng(0)
    points, radii = rng.uniform(-5, 55, (20, 2)), rng.uniform(0, 25, 20)
    together = disc_pixels(points, radii, (50, 40), at_most=12)
    for i in range(20):
        alone = disc_pixels(points[i : i + 1], radii[i : i + 1], (50, 40), at_most=12)
        np.testing.assert_array_equal(together.xy[together.owner == i], alone.xy)


def test_nearest_pixel_rounds_and_stays_inside():
    points = np.array([[0.49, 0.5], [-3, 99], [3.6, 1.2], [np.nan, np.inf]])
    assert nearest_pixels(points, (5, 4)).tolist() == [[0, 1], [0, 3], [4, 1], [0, 3]]


# --- statistics ---------------------------------------------------------------------------------


def test_statistics_by_hand():
    assert STATISTICS == ("point", "median", "min", "max", "low", "high")
    values = np.array([4.0, 1.0, 3.0, 2.0, 5.0, 7.0])
    depth_m, valid = summarise(
        values, np.array([0, 0, 0, 0, 0, 2]), 3, np.array([2.5, 9.0, 8.0]), (0.25, 0.5)
    )
    np.testing.assert_array_equal(depth_m[0], [2.5, 3, 1, 5, 2, 3])
    np.testing.assert_array_equal(depth_m[2], [8, 7, 7, 7, 7, 7])
    assert np.isnan(depth_m[1]).all()
    assert valid.tolist() == [True, False, True]


def test_unusable_depths_do_not_count():
    values = np.array([np.nan, np.inf, -np.inf, 0.0, -2.0, 1e300, 6.0, np.nan])
    depth_m, valid = summarise(
        values, np.array([0, 0, 0, 0, 0, 0, 0, 1]), 2, np.array([np.nan, 3.0])
    )
    np.testing.assert_array_equal(depth_m[0], [6] * 6)  # the point has no depth: the disc's median
    assert np.isnan(depth_m[1]).all()  # a point's depth alone does not make a disc
    assert valid.tolist() == [True, False]


@quick
@given(st.integers(0, 999), st.floats(0, 1), st.floats(0, 1))
def test_quantiles_equal_numpys(seed: int, low: float, high: float):
    rng = np.random.default_rng(seed)
    owner = np.sort(rng.integers(0, 8, rng.integers(0, 60)))
    values = rng.choice([*rng.uniform(0.3, 30, 40), np.nan, -1.0], len(owner)).astype(np.float32)
    depth_m, valid = summarise(values, owner, 9, np.full(9, 2.0), (low, high))
    for i in range(9):
        depths = values[(owner == i) & (values > 0)].astype(np.float64)
        assert valid[i] == (len(depths) > 0)
        if valid[i]:
            expected = [np.quantile(depths, q) for q in (0.5, 0, 1, low, high)]
            np.testing.assert_array_equal(depth_m[i, 1:], np.float32(expected))


@quick
@given(
    st.lists(st.tuples(coordinates, coordinates, radii), max_size=3),
    st.tuples(sizes, sizes),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.integers(0, 99),
)
def test_describe_equals_the_brute_force(brute_upsample, discs, picture_wh, map_hw, seed):
    rng = np.random.default_rng(seed)
    depth_map = rng.uniform(0.3, 20, map_hw).astype(np.float32)
    depth_map[rng.random(map_hw) < 0.1] = rng.choice([np.nan, np.inf, 0.0, -40.0])
    table = np.array(discs, dtype=np.float64).reshape(-1, 3)
    depth_m, valid = describe(depth_map, picture_wh, table[:, :2], table[:, 2], (0.1, 0.75))
    with np.errstate(invalid="ignore"):
        full = brute_upsample(depth_map, picture_wh)
    expected, expected_valid = brute_describe(full, table[:, :2], table[:, 2], (0.1, 0.75))
    np.testing.assert_array_equal(valid, expected_valid)
    np.testing.assert_array_equal(depth_m, expected.astype(np.float32))


def test_describe_finds_the_nearer_surface_around_an_edge():
    # A person at 3 m before a wall at 5 m: a joint 2 px outside the outline still meets the person.
    depth_map = np.full((40, 60), 5.0, dtype=np.float32)
    depth_map[:, :30] = 3.0
    depth_m, valid = describe(depth_map, (60, 40), np.array([[31.4, 20.0]]), np.array([4.0]))
    assert valid.all()
    assert dict(zip(STATISTICS, depth_m[0].tolist(), strict=True)) == {
        "point": 5.0, "median": 5.0, "min": 3.0, "max": 5.0, "low": 3.0, "high": 5.0,
    }  # fmt: skip


def test_portrait_picture_keeps_columns_and_rows_apart():
    depth_map = np.tile(np.arange(1.0, 6.0)[:, None], (1, 3)).astype(np.float32)  # deeper downwards
    depth_m, _ = describe(depth_map, (30, 90), np.array([[29.0, 0], [0, 89]]), np.array([0.0, 0]))
    np.testing.assert_array_equal(depth_m[:, 0], [1.0, 5.0])


def test_joint_beside_the_picture_is_invalid_and_one_that_reaches_in_is_not():
    depth_map = np.full((4, 4), 2.0, dtype=np.float32)
    points = np.array([[-3.5, 1.0], [-2.5, 1.0], [np.nan, 1.0]])
    depth_m, valid = describe(depth_map, (4, 4), points, np.full(3, 3.0))
    assert valid.tolist() == [False, True, False]
    np.testing.assert_array_equal(depth_m[1], [2] * 6)
    assert np.isnan(depth_m[[0, 2]]).all()
