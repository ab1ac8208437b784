"""The intersection formulae against walking along the ray, which needs distances only."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.studio.rays import (
    GROUND_FACE,
    NEAREST_M,
    OPEN_FACE,
    BoxView,
    Slopes,
    capsule_terms,
    enter_box,
    enter_capsules,
    hull_bounds,
    leave_room,
    sphere_bounds,
)


def distance_to_segment(points, a, b):
    line = b - a
    share = np.clip((points - a) @ line / max(line @ line, 1e-12), 0, 1)
    return np.linalg.norm(points - a - share[..., None] * line, axis=-1)


def walk(rays, distance, far_m=30.0):
    """Depth (P,) at which rays reach distance 0, in steps that can never jump over a surface."""
    directions = np.stack([rays.x, rays.y, np.ones_like(rays.x)], axis=-1)
    length = np.linalg.norm(directions, axis=-1)
    depth = np.zeros_like(length)
    for _ in range(600):
        step = np.maximum(distance(depth[:, None] * directions), 0) / length
        depth = np.minimum(depth + step, 2 * far_m)
    return np.where(depth > far_m, np.inf, depth)


def fan(n, half_slope, rng):
    return Slopes(rng.uniform(-half_slope, half_slope, n), rng.uniform(-half_slope, half_slope, n))


def one_capsule(a, b, radius_m):
    return capsule_terms(np.array([[a]]), np.array([[b]]), np.array([radius_m]))


@pytest.mark.parametrize("seed", range(12))
def test_capsules_are_entered_where_a_walk_arrives(seed):
    rng = np.random.default_rng(seed)
    a = rng.uniform([-1, -1, 1.5], [1, 1, 5])
    b = a + rng.normal(0, 0.4, 3)
    radius_m = rng.uniform(0.05, 0.5)
    aims = a + rng.random((400, 1)) * (b - a) + rng.normal(0, 0.8 * radius_m, (400, 3))
    rays = Slopes(aims[:, 0] / aims[:, 2], aims[:, 1] / aims[:, 2])
    found = enter_capsules(rays, one_capsule(a, b, radius_m))
    walked = walk(rays, lambda points: distance_to_segment(points, a, b) - radius_m)
    # A walk along the very edge does not arrive in time; there are few such rays.
    clear = np.isfinite(found) == np.isfinite(walked)
    assert clear.mean() > 0.985
    hits = clear & np.isfinite(found)
    assert 100 < hits.sum() < 400
    assert np.abs(found[hits] - walked[hits]).max() < 1e-3


def test_a_capsule_along_the_ray_is_entered_at_its_near_end():
    for a, b in (((0, 0, 2.0), (0, 0, 3.0)), ((0, 0, 3.0), (0, 0, 2.0))):
        depth = enter_capsules(Slopes(np.zeros(1), np.zeros(1)), one_capsule(a, b, 0.1))
        assert depth[0] == pytest.approx(1.9)


def test_a_ball_is_a_capsule_without_length():
    depth = enter_capsules(
        Slopes(np.array([0.0, 0.03, 0.2]), np.zeros(3)), one_capsule((0, 0, 2.0), (0, 0, 2.0), 0.1)
    )
    slope = 0.03
    inside = np.sqrt(4 - (1 + slope**2) * (4 - 0.01))
    assert depth.tolist() == pytest.approx([1.9, (2 - inside) / (1 + slope**2), np.inf])


def test_what_holds_the_camera_or_lies_behind_it_is_not_seen():
    ray = Slopes(np.zeros(1), np.zeros(1))
    assert enter_capsules(ray, one_capsule((0, 0, -1.0), (0, 0, 1.0), 0.3))[0] == np.inf
    assert enter_capsules(ray, one_capsule((0, 0, -2.0), (0, 0, -2.0), 0.3))[0] == np.inf
    touching = (0, 0, 0.1 + NEAREST_M / 2)
    assert enter_capsules(ray, one_capsule(touching, touching, 0.1))[0] == np.inf


@pytest.mark.parametrize("seed", range(10))
def test_bounds_hold_the_silhouette_and_touch_it(seed):
    rng = np.random.default_rng(seed)
    a = rng.uniform([-2, -2, 1.5], [2, 2, 5])
    b = a + rng.normal(0, 0.3, 3)
    radius_m = rng.uniform(0.05, 0.4)
    radius = np.array([radius_m])
    bounds = hull_bounds(np.stack([sphere_bounds(end[None], radius) for end in (a, b)]))[0]
    low, high = bounds[:2], bounds[2:]
    x, y = np.meshgrid(*(np.linspace(low[i] - 0.05, high[i] + 0.05, 300) for i in (0, 1)))
    hit = enter_capsules(Slopes(x.ravel(), y.ravel()), one_capsule(a, b, radius_m)) < np.inf
    pixel = (high - low + 0.1) / 299
    for values, i in ((x.ravel()[hit], 0), (y.ravel()[hit], 1)):
        assert low[i] <= values.min() <= low[i] + 1.5 * pixel[i]
        assert high[i] >= values.max() >= high[i] - 1.5 * pixel[i]


def test_bounds_are_endless_where_a_ball_reaches_the_camera_plane():
    bounds = sphere_bounds(np.array([[1.0, 0.0, 0.2], [1.0, 0.0, 0.4]]), np.array([0.3, 0.3]))
    assert bounds[0].tolist() == [-np.inf, -np.inf, np.inf, np.inf]
    assert np.isfinite(bounds[1]).all()


def turned_box(rng):
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    middle = axes @ rng.uniform([-0.5, -0.5, 3], [0.5, 0.5, 5])
    half = rng.uniform(0.2, 0.8, 3)
    return BoxView(axes, middle - half, middle + half)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_are_entered_where_a_walk_arrives(seed):
    rng = np.random.default_rng(seed)
    box = turned_box(rng)

    def distance(points):
        outside = np.maximum(box.low - points @ box.axes.T, points @ box.axes.T - box.high)
        return np.linalg.norm(np.maximum(outside, 0), axis=-1)

    rays = fan(400, 0.5, rng)
    found, walked = enter_box(rays, box), walk(rays, distance)
    clear = np.isfinite(found) == np.isfinite(walked)
    assert clear.mean() > 0.985
    hits = clear & np.isfinite(found)
    assert hits.sum() > 10
    assert np.abs(found[hits] - walked[hits]).max() < 1e-3


def test_a_box_behind_or_around_the_camera_is_not_seen():
    ray = Slopes(np.zeros(1), np.zeros(1))
    corner = np.ones(3)
    behind = BoxView(np.eye(3), np.array([-1, -1, -3.0]), np.array([1, 1, -2.0]))
    assert enter_box(ray, behind)[0] == np.inf
    assert enter_box(ray, BoxView(np.eye(3), -corner, corner))[0] == np.inf


def test_a_room_is_left_through_the_right_face():
    room = BoxView(np.eye(3), np.array([-2.0, -3.0, -1.0]), np.array([4.0, 5.0, 6.0]))
    rays = Slopes(np.array([0.0, 1.0, -1.0, 0.0]), np.array([0.0, 0.0, 0.0, -1.0]))
    depth, face = leave_room(rays, room)
    assert depth.tolist() == [6, 4, 2, 3]
    assert face.tolist() == [5, 3, 0, 1]


def test_an_open_room_has_ground_and_sky():
    # The box's third axis, up, is the camera's −y; there is nothing but ground 1.5 m below.
    axes = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    inf = np.inf
    room = BoxView(axes, np.array([-inf, -inf, -1.5]), np.array([inf, inf, inf]))
    depth, face = leave_room(Slopes(np.zeros(2), np.array([0.5, -0.5])), room)
    assert depth.tolist() == [3, inf]
    assert face.tolist() == [GROUND_FACE, OPEN_FACE]


def test_each_ray_may_have_its_own_box():
    rng = np.random.default_rng(0)
    boxes = [turned_box(rng) for _ in range(40)]
    rays = fan(40, 0.3, rng)
    together = BoxView(*(np.stack(values, axis=-1) for values in zip(*boxes, strict=True)))
    alone = [
        enter_box(Slopes(rays.x[i : i + 1], rays.y[i : i + 1]), box)[0]
        for i, box in enumerate(boxes)
    ]
    assert np.isfinite(alone).sum() > 10
    assert enter_box(rays, together).tolist() == alone
