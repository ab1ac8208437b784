"""Pictures against ray casting, closed forms, and what must hide what."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from auglift.errors import UsageError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import COCO_17
from auglift.studio import palette
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.cameras import draw_cameras
from auglift.studio.places import SCENES
from auglift.studio.renderer import cast_bundles, cast_rays, render
from auglift.studio.scene import (
    CLUTTER,
    GROUND,
    SKY,
    WALL,
    Boxes,
    Capsules,
    Scene,
    Surroundings,
    ball_label,
    dress,
    flesh_label,
    is_ball,
)
from auglift.studio.surroundings import draw_surroundings

NO_BOXES = Boxes(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
HALL = np.array([[-5.0, -6.0, 0.0], [5.0, 6.0, 4.0]])
OUTDOORS = np.array([[-np.inf, -np.inf, 0.0], [np.inf, np.inf, np.inf]])


def capsules(*rows):
    """Things as capsules: rows of start, end, radius."""
    start, end, radius = zip(*rows, strict=True) if rows else ((), (), ())
    return Capsules(
        np.array(start, dtype=float).reshape(-1, 3),
        np.array(end, dtype=float).reshape(-1, 3),
        np.array(radius, dtype=float),
        np.full(len(rows), CLUTTER, dtype=np.int16),
    )


def surroundings(*things, room=HALL, boxes=NO_BOXES):
    return Surroundings(room, boxes, capsules(*things))


def level_camera(size=200, focal_widths=1.0, centre=(-4.0, 0.0, 1.0), **lens):
    """A camera that looks level along +x: right is −y, down is −z."""
    rotation = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    return Camera.from_centre(
        (size, size),
        np.full(2, focal_widths * size),
        np.full(2, (size - 1) / 2),
        rotation=rotation,
        centre=np.array(centre),
        **lens,
    )


@cache
def standing_body():
    return draw_body(np.random.default_rng(0))


def about_x(angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])


def rest_pose(turn=0.0, place=(0.0, 0.0)):
    """Joints (26, 3) of the body standing, arms a little spread; at turn 0 it faces +x."""
    body = standing_body()
    joints = np.zeros((STUDIO.n_joints, 3))
    for joint, parent in zip(STUDIO.joints, STUDIO.parents, strict=True):
        if parent >= 0:
            side, _, part = joint.partition("_")
            offset = body.offset_m(joint)
            if part in ("elbow", "wrist"):  # arms 30° off the trunk, so that nothing is hidden
                offset = offset @ about_x(np.pi / 6 if side == "left" else -np.pi / 6).T
            joints[STUDIO.index(joint)] = joints[parent] + offset
    joints[:, 2] += body.sole_m - joints[:, 2].min()
    cos, sin = np.cos(turn), np.sin(turn)
    joints = joints @ np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]).T
    return joints + np.array([*place, 0.0])


def put(joints, moves):
    """The joints with some of them elsewhere."""
    joints = joints.copy()
    for joint, place in moves.items():
        joints[STUDIO.index(joint)] = place
    return joints


def at(joints, joint):
    return joints[STUDIO.index(joint)]


def alone(joints, *things, **how):
    return Scene((dress(standing_body(), joints),), surroundings(*things, **how))


def disc(camera, person, joint):
    """Mask (H, W) of the pixels whose rays meet the ball at a joint, and the projected joint."""
    centre = camera.to_camera(at(person.joints, joint))
    radius_m = person.ball_radius_m[COCO_17.index(joint)]
    y, x = np.indices(camera.image_wh[::-1])
    x = (x - camera.centre_px[0]) / camera.focal_px[0]
    y = (y - camera.centre_px[1]) / camera.focal_px[1]
    # Distance of the centre from the ray: |c|² less the square of its part along the ray.
    along = (x * centre[0] + y * centre[1] + centre[2]) ** 2 / (x**2 + y**2 + 1)
    return centre @ centre - along < radius_m**2, camera.project(centre)


def drawn_scene(name, seed, n_people=1, size=0.12, n_frames=12):
    """A scene with standing people and everything drawn, and its first camera."""
    rng = np.random.default_rng(seed)
    bodies = [draw_body(rng) for _ in range(n_people)]
    places = rng.uniform(-0.7, 0.7, (n_people, 2))
    turns = rng.uniform(0, 6, n_people)
    joints = np.stack([rest_pose(turn, place) for turn, place in zip(turns, places, strict=True)])
    steps = 0.02 * np.arange(n_frames)[:, None, None] * np.array([1.0, 0.0, 0.0])
    moving = joints[:, None] + steps
    cameras = draw_cameras(SCENES[name], moving, 25.0, rng, size=size)
    around = draw_surroundings(SCENES[name], moving, cameras, rng)
    people = tuple(dress(body, path) for body, path in zip(bodies, moving, strict=True))
    return Scene(people, around), next(iter(cameras.values()))


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("seed", range(3))
def test_the_picture_is_what_rays_meet(name, seed):
    scene, cameras = drawn_scene(name, seed, n_people=seed + 1)
    picture = render(scene.at(4), cameras[4], seed=0)
    rng = np.random.default_rng(seed)
    width, height = cameras[4].image_wh
    pixels = rng.integers(0, [width, height], (3000, 2))
    cast = cast_rays(scene.at(4), cameras[4], pixels)
    x, y = pixels.T
    assert (picture.depth_m[y, x] == cast.depth_m).all()
    assert (picture.label[y, x] == cast.label).all()
    shown = np.unique(picture.label)
    assert is_ball(shown).sum() >= 5
    assert flesh_label(0) in shown
    assert GROUND in shown


def test_things_at_the_camera_and_behind_it_are_bounded_safely():
    things = [
        ((-4.3, 0.35, 1.0), (-3.0, 0.35, 1.0), 0.2),  # from behind the camera to before it
        ((-4.5, -0.3, 0.0), (-4.5, -0.3, 2.0), 0.1),  # behind
        ((-3.8, -0.4, 0.0), (-3.8, -0.4, 2.0), 0.1),  # close, partly outside the picture
    ]
    boxes = Boxes(
        np.array([[-3.9, 0.0, 0.2], [-4.8, 0.0, 0.5], [2.0, 2.0, 0.5]]),
        np.array([[0.4, 0.2, 0.2], [0.3, 0.3, 0.5], [0.3, 0.5, 0.5]]),
        np.array([0.3, 0.0, 0.7]),
    )
    scene, camera = alone(rest_pose(), *things, boxes=boxes), level_camera(80)
    picture = render(scene, camera, seed=0)
    pixels = np.stack(np.meshgrid(np.arange(80), np.arange(80)), axis=-1).reshape(-1, 2)
    cast = cast_rays(scene, camera, pixels)
    assert (picture.depth_m.ravel() == cast.depth_m).all()
    assert (picture.label.ravel() == cast.label).all()
    assert (picture.label == CLUTTER).mean() > 0.1


def test_bundles_of_many_instants_give_the_same_numbers():
    for name in ("street", "lab"):
        scene, cameras = drawn_scene(name, seed=5, n_people=2)
        rng = np.random.default_rng(0)
        instant = np.repeat(np.arange(12), 60)
        bundle = np.arange(12 * 60) // 20
        middle = rng.uniform(20, 100, (36, 2))
        pixels = middle[bundle] + rng.uniform(-4, 4, (len(bundle), 2))
        many = cast_bundles(scene, cameras, pixels, bundle, instant)
        for i in range(12):
            one = cast_rays(scene.at(i), cameras[i], pixels[instant == i])
            assert (many.depth_m[instant == i] == one.depth_m).all()
            assert (many.label[instant == i] == one.label).all()
    fixed = cast_bundles(scene, cameras[:1], pixels, bundle, instant)
    assert (fixed.depth_m == many.depth_m).all()
    empty = np.zeros(0, dtype=np.int64)
    assert len(cast_bundles(scene, cameras, np.zeros((0, 2)), empty, empty).depth_m) == 0


def test_two_renders_are_equal_bytes_and_the_seed_moves_only_the_dither():
    scene, cameras = drawn_scene("street", 1)
    one, again = (render(scene.at(0), cameras[0], seed=7) for _ in range(2))
    assert one.rgb.tobytes() == again.rgb.tobytes()
    assert one.depth_m.tobytes() == again.depth_m.tobytes()
    assert one.label.tobytes() == again.label.tobytes()
    other = render(scene.at(0), cameras[0], seed=8).rgb
    assert (other[..., :2] == one.rgb[..., :2]).all()
    difference = np.abs(other[..., 2].astype(int) - one.rgb[..., 2])
    assert difference.max() == 1


def test_a_sphere_has_its_closed_form_depth_and_extent():
    camera = level_camera(301)
    scene = Scene((), surroundings(((0.0, 0.6, 1.2), (0.0, 0.6, 1.2), 0.5)))
    picture = render(scene, camera, seed=0)
    centre, radius_m = camera.to_camera([0.0, 0.6, 1.2]), 0.5
    y, x = np.nonzero(picture.label == CLUTTER)
    rays = np.stack([(x - 150) / 301, (y - 150) / 301, np.ones(len(x))], axis=-1)
    points = rays * picture.depth_m[y, x][:, None]
    assert np.abs(np.linalg.norm(points - centre, axis=-1) - radius_m).max() < 1e-5
    # Tangents to the circle of radius r at distance d span ± asin(r/d) around its direction.
    for axis, pixel in ((0, x), (1, y)):
        towards = np.arctan2(centre[axis], centre[2])
        half = np.arcsin(radius_m / np.hypot(centre[axis], centre[2]))
        edges = 301 * np.tan([towards - half, towards + half]) + 150
        assert pixel.min() == np.ceil(edges[0])
        assert pixel.max() == np.floor(edges[1])
    nearest = picture.depth_m[y, x].min()
    assert nearest == pytest.approx(centre[2] - radius_m, abs=1e-3)


def test_ground_walls_and_sky_have_their_places_and_depths():
    camera = level_camera(201)
    indoors = render(Scene((), surroundings()), camera, seed=0)
    y = np.arange(201)
    wall_m = 9.0  # from x = −4 to x = 5
    ground_m = np.where(y > 100, 201 / np.maximum(y - 100, 1e-9), np.inf)  # height 1 m
    expected = np.minimum(wall_m, ground_m)
    expected = np.minimum(expected, np.where(y < 100, 3 * 201 / np.maximum(100 - y, 1e-9), np.inf))
    assert np.allclose(indoors.depth_m[:, 100], expected, rtol=1e-6)
    assert indoors.label[200, 100] == GROUND
    assert indoors.label[100, 100] == WALL
    outdoors = render(Scene((), surroundings(room=OUTDOORS)), camera, seed=0)
    assert (outdoors.label[:100] == SKY).all()
    assert np.isinf(outdoors.depth_m[:101]).all()
    assert (outdoors.rgb[:101, :, 2] == 255).all()
    assert (outdoors.label[101:] == GROUND).all()


def test_blue_says_the_depth_and_red_and_green_say_what_it_is():
    scene, cameras = drawn_scene("wide", 2, n_people=3, size=0.3)
    picture = render(scene.at(0), cameras[0], seed=0)
    depth_m = np.clip(picture.depth_m, palette.NEAR_M, palette.FAR_M)
    assert np.abs(palette.decode_depth(picture.rgb[..., 2]) - depth_m).max() < palette.LEVEL_M
    near = np.isfinite(picture.depth_m) & (picture.depth_m < palette.FAR_M - palette.LEVEL_M)
    error = (palette.decode_depth(picture.rgb[..., 2]) - picture.depth_m)[near]
    assert abs(error.mean()) < 0.02 * palette.LEVEL_M  # the dither is unbiased
    codes = picture.rgb[..., :2].astype(int)
    for slot in range(3):
        for joint in COCO_17.joints:
            ball = codes[picture.label == ball_label(slot, joint)]
            assert (ball == palette.JOINT_CODES[joint]).all()
        flesh = codes[picture.label == flesh_label(slot)]
        assert len(flesh) > 50
        shade = flesh - palette.FLESH[slot]
        assert np.abs(shade).max() <= palette.FLESH_SHADE
        assert np.ptp(shade) > palette.FLESH_SHADE  # it is shaded
    rest = codes[picture.label < flesh_label(0)] - palette.BACKGROUND
    assert np.abs(rest).max() <= palette.BACKGROUND_SHADE
    assert np.ptp(rest) > palette.BACKGROUND_SHADE


@pytest.mark.parametrize("size", [250, 500])
@pytest.mark.parametrize("turn", [0.0, np.pi, 2.6, 3.6])
def test_a_whole_ball_has_its_middle_on_the_projected_joint(size, turn):
    camera = level_camera(size, focal_widths=1.3, centre=(-4.0, 0.25, 1.1))
    scene = alone(rest_pose(turn))
    label = render(scene, camera, seed=0).label
    n_whole = 0
    for joint in COCO_17.joints:
        shown = label == ball_label(0, joint)
        mask, projected = disc(camera, scene.people[0], joint)
        if mask.sum() >= 12 and (shown == mask).all():
            y, x = np.nonzero(shown)
            assert np.hypot(x.mean() - projected[0], y.mean() - projected[1]) < 0.3
            n_whole += 1
    assert n_whole >= 10


def test_an_arm_before_the_trunk_hides_it():
    camera = level_camera(300)
    free = rest_pose(np.pi)  # faces the camera
    chest = 0.5 * (at(free, "thorax") + at(free, "spine"))
    x, y, z = chest
    bent = put(
        free,
        {
            "left_elbow": (x - 0.2, y - 0.3, z),
            "left_wrist": (x - 0.28, y + 0.1, z),
        },
    )
    column, row = camera.project_world(chest).round().astype(int)
    before, after = (render(alone(joints), camera, 0) for joints in (free, bent))
    hand_m = before.depth_m[row, column] - after.depth_m[row, column]
    assert 0.05 < hand_m < 0.3
    assert after.label[row, column] == flesh_label(0)
    # The joint inside the flesh is farther than the surface by the flesh around it.
    assert camera.to_camera(chest)[2] - after.depth_m[row, column] > 0.25


def test_a_wrist_before_the_hip_hides_its_ball():
    camera = level_camera(300)
    free = rest_pose(np.pi)
    x, y, z = at(free, "left_hip")
    bent = put(free, {"left_elbow": (x - 0.2, y - 0.25, z + 0.2), "left_wrist": (x - 0.25, y, z)})
    column, row = camera.project_world(at(free, "left_hip")).round().astype(int)
    before, after = (render(alone(joints), camera, 0).label for joints in (free, bent))
    assert before[row, column] == ball_label(0, "left_hip")
    assert after[row, column] == ball_label(0, "left_wrist")


def test_balls_show_on_the_side_that_the_camera_sees():
    camera = level_camera(500, focal_widths=1.2)
    counts = {}
    for view, turn in (("front", np.pi), ("back", 0.0), ("left", np.pi / 2)):
        scene = alone(rest_pose(turn))
        label = render(scene, camera, 0).label
        for joint in COCO_17.joints:
            mask, _ = disc(camera, scene.people[0], joint)
            counts[view, joint] = (label == ball_label(0, joint)).sum() / mask.sum()
    for joint in ("left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_knee"):
        assert counts["front", joint] > 0.95  # deep in the flesh, and yet a whole mark
        assert counts["back", joint] > 0.95
    for joint in ("nose", "left_eye", "right_eye"):
        assert counts["front", joint] > 0.9
        assert counts["back", joint] == 0
    for part in ("shoulder", "elbow", "ear"):
        assert counts["left", f"left_{part}"] > 0.9
        assert counts["left", f"right_{part}"] == 0


def test_a_limb_that_points_at_the_camera_hides_its_far_joint():
    camera = level_camera(300)
    free = rest_pose(np.pi)
    shoulder = at(free, "left_shoulder")
    # The line from the shoulder to the camera, so that wrist, elbow and shoulder are one pixel.
    towards = (camera.centre - shoulder) / np.linalg.norm(camera.centre - shoulder)
    bent = put(
        free, {"left_elbow": shoulder + 0.3 * towards, "left_wrist": shoulder + 0.55 * towards}
    )
    label = render(alone(bent), camera, 0).label
    column, row = camera.project_world(shoulder).round().astype(int)
    assert label[row, column] not in (ball_label(0, "left_shoulder"), ball_label(0, "left_elbow"))


def test_other_people_and_things_hide_a_ball():
    camera = level_camera(300)
    behind, before = rest_pose(np.pi), rest_pose(np.pi, (-1.0, 0.0))
    people = tuple(dress(standing_body(), joints) for joints in (behind, before))
    label = render(Scene(people, surroundings()), camera, 0).label
    column, row = camera.project_world(at(behind, "left_hip")).round().astype(int)
    assert label[row, column] // 100 == flesh_label(1) // 100
    post = ((-1.5, 0.0, 0.0), (-1.5, 0.0, 3.0), 0.3)
    hidden = render(alone(behind, post), camera, 0)
    assert hidden.label[row, column] == CLUTTER
    assert hidden.depth_m[row, column] < 2.5


def test_a_distorted_camera_sees_through_its_lens():
    lens = {"radial": (-0.2, 0.24, 0.0), "tangential": (-0.001, -0.001), "distortion": "h36m"}
    plain, bent = level_camera(200), level_camera(200, **lens)
    scene = alone(rest_pose(np.pi, (0.0, 1.3)))
    picture = render(scene, bent, 0)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 200, (2000, 2))
    cast = cast_rays(scene, plain, bent.undistort(pixels))
    x, y = pixels.T
    assert (picture.depth_m[y, x] == cast.depth_m).all()
    assert (picture.label[y, x] == cast.label).all()
    y, x = np.nonzero(picture.label == ball_label(0, "left_shoulder"))
    shoulder = at(scene.people[0].joints, "left_shoulder")
    projected = bent.project_world(shoulder)
    assert np.hypot(x.mean() - projected[0], y.mean() - projected[1]) < 0.2
    assert np.linalg.norm(projected - plain.project_world(shoulder)) > 0.4


def test_a_take_is_rendered_one_instant_at_a_time():
    scene, cameras = drawn_scene("lab", 0)
    with pytest.raises(UsageError, match="one instant") as error:
        render(scene, cameras[0], 0)
    assert "scene.at" in str(error.value)


def test_a_scene_holds_as_many_people_as_the_palette_tells_apart():
    person = dress(standing_body(), rest_pose())
    with pytest.raises(UsageError, match="5 people"):
        Scene((person,) * 5, surroundings())
    people = tuple(
        replace(person, joints=rest_pose(np.pi, (-0.5, y))) for y in (-1.0, -0.4, 0.4, 1.0)
    )
    label = render(Scene(people, surroundings()), level_camera(200), 0).label
    assert {flesh_label(slot) for slot in range(4)} <= set(np.unique(label).tolist())
