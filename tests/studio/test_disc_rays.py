"""The fast rays of the discs against the plain ones, and where float32 is most in danger."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.geometry.camera import Camera
from auglift.studio.bodies import draw_body
from auglift.studio.cameras import draw_cameras
from auglift.studio.disc_rays import disc_depths
from auglift.studio.motions import make_motion
from auglift.studio.places import get_scene
from auglift.studio.rays import Slopes
from auglift.studio.renderer import cast_rays
from auglift.studio.scene import CLUTTER, Boxes, Capsules, Scene, Surroundings, dress
from auglift.studio.surroundings import draw_surroundings
from auglift.studio.view import look

HALL = np.array([[-5.0, -6.0, 0.0], [5.0, 6.0, 4.0]])
NO_BOXES = Boxes(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))


def discs_of_points(points, rng, reach_px=30):
    """Pixels in bundles of 1 to 25 around points (N, 2): pixels (P, 2) and where each begins."""
    lengths = rng.integers(1, 26, len(points))
    pixels = np.repeat(points, lengths, axis=0) + rng.uniform(
        -reach_px, reach_px, (lengths.sum(), 2)
    )
    return pixels, np.cumsum(lengths) - lengths


def slopes_of(camera, pixels):
    return Slopes(*((pixels - camera.centre_px) / camera.focal_px).T)


@pytest.mark.parametrize("scene_name", ["wide", "street", "lab"])
def test_depths_are_those_of_the_plain_rays(scene_name):
    rng = np.random.default_rng(4)
    bodies = [draw_body(rng), draw_body(rng)]
    tracks = [make_motion(action, body, rng, 0.4, 10.0).positions
              for action, body in zip(("kick", "reach"), bodies, strict=True)]  # fmt: skip
    tracks[1] = tracks[1] + [0.4, 0.5, 0.0]
    spec = get_scene(scene_name)
    cameras = next(iter(draw_cameras(spec, np.stack(tracks), 10.0, rng).values()))
    surroundings = draw_surroundings(spec, np.stack(tracks), {"one": cameras}, rng)
    people = tuple(dress(body, track) for body, track in zip(bodies, tracks, strict=True))
    scene = Scene(people, surroundings)

    pixels, first, instant = [], [], []
    for i, camera in enumerate(cameras):
        joints = camera.project_world(np.concatenate([track[i] for track in tracks]))
        some, starts = discs_of_points(joints, rng)
        first.append(starts + sum(map(len, pixels)))
        instant.append(np.full(len(starts), i))
        pixels.append(some)
    every = np.concatenate(pixels)
    found = disc_depths(
        look(scene, cameras),
        slopes_of(cameras[0], every),
        np.concatenate(first),
        np.concatenate(instant),
    )
    plain = [cast_rays(scene.at(i), c, p).depth_m
             for i, (c, p) in enumerate(zip(cameras, pixels, strict=True))]  # fmt: skip
    expected = np.concatenate(plain)
    assert len(np.unique(expected)) > 0.9 * len(expected)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_capsule_seen_end_on_shows_its_nearer_end():
    """A limb that points at the camera: float32 cannot tell the cylinder's sides apart."""
    start, end = np.array([[2.0, 0.0, 1.0]]), np.array([[2.6, 0.0, 1.0]])
    rotation = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    camera = Camera.from_centre(
        (200, 200), [200, 200], [99.5, 99.5], rotation=rotation, centre=[-3.0, 0.0, 1.0]
    )
    for one, other in ((start, end), (end, start)):
        things = Capsules(one, other, np.array([0.05]), np.array([CLUTTER], dtype=np.int16))
        scene = Scene((), Surroundings(HALL, NO_BOXES, things))
        pixels = np.array([[99.5, 99.5], [99.5001, 99.5], [99.5, 99.6], [100.5, 99.5]])
        found = disc_depths(
            look(scene, [camera]), slopes_of(camera, pixels), np.array([0]), np.array([0])
        )
        np.testing.assert_allclose(found, cast_rays(scene, camera, pixels).depth_m, atol=1e-4)
        assert found[0] == pytest.approx(4.95, abs=1e-5)


def test_what_the_camera_is_in_or_behind_it_is_not_seen():
    rotation = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    camera = Camera.from_centre(
        (200, 200), [200, 200], [99.5, 99.5], rotation=rotation, centre=[-3.0, 0.0, 1.0]
    )
    around = Capsules(
        np.array([[-3.1, 0.0, 1.0], [-4.0, 0.0, 1.0]]),
        np.array([[-2.9, 0.0, 1.0], [-4.5, 0.0, 1.0]]),
        np.array([0.3, 0.2]),
        np.full(2, CLUTTER, dtype=np.int16),
    )
    scene = Scene((), Surroundings(HALL, NO_BOXES, around))
    found = disc_depths(
        look(scene, [camera]),
        slopes_of(camera, np.array([[99.5, 99.5]])),
        np.array([0]),
        np.array([0]),
    )
    assert found[0] == pytest.approx(8.0)  # the far wall


def test_no_rays_are_no_depths():
    scene = Scene((), Surroundings(HALL, NO_BOXES, Capsules(*np.zeros((2, 0, 3)),
                  np.zeros(0), np.zeros(0, np.int16))))  # fmt: skip
    camera = Camera((200, 200), np.full(2, 200.0), np.full(2, 99.5))
    none = np.zeros(0, dtype=np.intp)
    assert (
        disc_depths(look(scene, [camera]), Slopes(np.zeros(0), np.zeros(0)), none, none).size == 0
    )
