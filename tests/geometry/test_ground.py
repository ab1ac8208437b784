"""The ground under walking feet is found, whichever way the camera is tilted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from auglift.errors import DataError, UsageError
from auglift.geometry.ground import ANKLE_HEIGHT_M, World, find_ground, level_world
from auglift.geometry.skeleton import H36M_17
from auglift.studio.bodies import draw_body
from auglift.studio.motions import make_motion


@pytest.fixture(scope="module")
def walks() -> np.ndarray:
    """(N, 17, 3) Z up: two people walk about in different directions on z = 0."""
    tracks = []
    for seed, turn in ((1, 0.0), (2, 80.0)):
        rng = np.random.default_rng(seed)
        positions = make_motion("walk", draw_body(rng), rng, 6.0, 10.0).positions[:, :17]
        tracks.append(positions @ Rotation.from_euler("z", turn, degrees=True).as_matrix().T)
    return np.concatenate(tracks)


def camera_of(pitch: float, roll: float) -> tuple[np.ndarray, np.ndarray]:
    """World (Z up) → camera: looking along +y, 1.5 m high, pitched down and rolled (degrees)."""
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    tilt = Rotation.from_euler("zx", [roll, pitch], degrees=True).as_matrix()
    return tilt @ level, np.array([0.0, -6.0, 1.5])


@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (20, 0), (-10, 8), (35, -5)])
def test_a_tilted_camera_is_put_upright(walks, pitch, roll):
    rotation, centre = camera_of(pitch, roll)
    world = find_ground((walks - centre) @ rotation.T, H36M_17, up="z")
    true_up = rotation @ [0, 0, 1]
    assert np.degrees(np.arccos(np.clip(world.up_camera @ true_up, -1, 1))) < 2.0
    assert world.tilt_deg == pytest.approx(np.degrees(np.arccos(-true_up[1])), abs=2.0)
    heights = world.from_camera((walks - centre) @ rotation.T)[..., 2]
    np.testing.assert_allclose(heights, walks[..., 2], atol=0.12)
    assert world.translation[2] == pytest.approx(1.5, abs=0.1)
    np.testing.assert_allclose(world.translation[:2], 0.0, atol=1e-12)
    assert "tilted by" in world.how


def test_noise_and_jumps_do_not_lift_the_ground(walks):
    rng = np.random.default_rng(0)
    noisy = walks + rng.normal(0, 0.02, walks.shape)
    noisy[::7, :, 2] += 0.4
    rotation, centre = camera_of(15, 3)
    world = find_ground((noisy - centre) @ rotation.T, H36M_17, up="z")
    assert np.degrees(np.arccos(world.up_camera @ rotation @ [0, 0, 1])) < 3.0
    assert world.translation[2] == pytest.approx(1.5, abs=0.15)


def test_a_known_up_direction_is_kept_and_only_the_height_is_found(walks):
    rotation, centre = camera_of(25, 5)
    up = rotation @ [0.0, 0.0, 3.0]
    world = find_ground((walks - centre) @ rotation.T, H36M_17, "y", up_camera=up, is_known=True)
    np.testing.assert_allclose(world.up_camera, up / 3, atol=1e-12)
    assert world.translation[1] == pytest.approx(1.5, abs=0.05)


def test_standing_on_the_spot_keeps_the_expected_up(walks):
    """One place on the ground fits a plane of any slope."""
    rotation, centre = camera_of(0, 0)
    rng = np.random.default_rng(0)
    still = walks[:1] + rng.normal(0, 0.01, (60, 17, 3))
    world = find_ground((still - centre) @ rotation.T, H36M_17)
    assert world.tilt_deg < 3.0


def test_the_lower_ankle_stands_its_height_over_the_ground():
    poses = np.zeros((20, 17, 3))
    poses[:, H36M_17.index("left_ankle")] = [0.1, 1.0, 4.0]
    poses[:, H36M_17.index("right_ankle")] = [-0.1, 0.8, 4.0]
    world = find_ground(poses, H36M_17)
    assert world.from_camera([0.1, 1.0, 4.0])[1] == pytest.approx(ANKLE_HEIGHT_M, abs=0.01)


def test_few_poses_leave_the_world_level():
    world = find_ground(np.full((30, 17, 3), np.nan), H36M_17, up="z")
    np.testing.assert_array_equal(world.translation, 0.0)
    np.testing.assert_array_equal(world.up_camera, [0.0, -1.0, 0.0])
    assert "do not show a ground" in world.how


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-2))
@settings(deadline=None, max_examples=50)
@pytest.mark.parametrize("up", ["y", "z"])
def test_worlds_are_right_handed_and_upright(up, direction):
    world = level_world(direction, up)
    np.testing.assert_allclose(world.rotation @ world.rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(world.rotation) == pytest.approx(1.0)
    unit = np.array(direction) / np.linalg.norm(direction)
    np.testing.assert_allclose(world.rotation @ unit, np.eye(3)["xyz".index(up)], atol=1e-9)


def test_x_stays_the_cameras_right_and_level():
    world = level_world(camera_of(30, 10)[0] @ [0.0, 0.0, 1.0], "z")
    assert world.rotation[0] @ [1.0, 0.0, 0.0] > 0.9
    assert world.rotation[0] @ world.up_camera == pytest.approx(0.0, abs=1e-12)


def test_turning_between_y_up_and_z_up_keeps_everything_else():
    world = World(up="y", translation=np.array([0.0, 1.5, 0.0]))
    point = np.array([1.0, 2.0, 3.0])
    x, y, z = world.from_camera(point)
    np.testing.assert_allclose(world.turned("z").from_camera(point), [x, -z, y])
    np.testing.assert_allclose(world.turned("z").turned("y").from_camera(point), [x, y, z])


def test_nonsense_is_refused():
    with pytest.raises(DataError, match="up direction"):
        level_world((0.0, 0.0, 0.0))
    with pytest.raises(UsageError, match="up axis"):
        level_world(up="x")
