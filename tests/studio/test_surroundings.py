"""Rooms hold everybody, and things stand in nobody's way unless they are meant to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from auglift.studio.bodies import STUDIO
from auglift.studio.cameras import draw_cameras
from auglift.studio.places import SCENES, STREET
from auglift.studio.scene import CLUTTER
from auglift.studio.surroundings import draw_surroundings

RATE_HZ = 25.0


def standing_people(rng, n_people=2, n_frames=30):
    """Joints (people, frames, 26, 3): posts with everything at 1 m, which walk a little."""
    joints = np.ones((n_people, n_frames, STUDIO.n_joints, 3))
    joints[..., :2] = rng.uniform(-0.6, 0.6, (n_people, 1, 1, 2))
    joints[..., 0] += np.linspace(0, 0.5, n_frames)[:, None]
    return joints


def drawn(spec, seed):
    rng = np.random.default_rng(seed)
    joints = standing_people(rng)
    cameras = draw_cameras(spec, joints, RATE_HZ, rng)
    return joints, cameras, draw_surroundings(spec, joints, cameras, rng)


def footprints(around):
    """Places (n, 2) and radii (n,) on the ground of everything that stands about."""
    capsules, boxes = around.capsules, around.boxes
    half_m = 0.5 * np.linalg.norm(capsules.end[:, :2] - capsules.start[:, :2], axis=-1)
    places = np.concatenate([0.5 * (capsules.start + capsules.end)[:, :2], boxes.centre[:, :2]])
    radii = [half_m + capsules.radius_m, np.linalg.norm(boxes.half_m[:, :2], axis=-1)]
    return places, np.concatenate(radii)


def sight_gap(place, radius_m, joints, cameras):
    """How far a thing's edge stays from the nearest line between a camera and a person."""
    gaps = []
    for track in cameras.values():
        for i_frame, camera in enumerate(track):
            for root in joints[:, i_frame, STUDIO.index("pelvis"), :2]:
                line = root - camera.centre[:2]
                share = np.clip((place - camera.centre[:2]) @ line / (line @ line), 0, 1)
                gaps.append(np.linalg.norm(place - camera.centre[:2] - share * line) - radius_m)
    return min(gaps)


@pytest.mark.parametrize("spec", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_in_the_way(spec, seed):
    joints, cameras, around = drawn(replace(spec, front_share=0.0), seed)
    low, high = around.room
    eyes = np.array([camera.centre for track in cameras.values() for camera in track])
    assert low[2] == 0
    assert (eyes > low).all()
    assert (eyes < high).all()
    beside = np.array([1, 1, 0])
    assert (joints > low + beside).all()
    assert (joints < high - beside).all()
    places, radii = footprints(around)
    assert len(places) <= spec.clutter[1]
    assert (around.capsules.label == CLUTTER).all()
    for place, radius_m in zip(places, radii, strict=True):
        assert np.linalg.norm(joints[..., :2] - place, axis=-1).min() > 0.9 + radius_m
        assert np.linalg.norm(eyes[:, :2] - place, axis=-1).min() > 0.3 + radius_m
        assert sight_gap(place, radius_m, joints, cameras) > 0.35
        assert (place - radius_m > low[:2]).all()
        assert (place + radius_m < high[:2]).all()


def test_things_stand_on_the_ground():
    for seed in range(8):
        around = drawn(STREET, seed)[2]
        assert np.allclose(around.boxes.centre[:, 2], around.boxes.half_m[:, 2])
        lowest = np.minimum(around.capsules.start, around.capsules.end)[:, 2]
        on_ground = np.isclose(lowest, around.capsules.radius_m) | (lowest == 0)
        assert on_ground.all()


def test_some_clutter_is_always_there():
    n_things = [len(footprints(drawn(SCENES["lab"], seed)[2])[0]) for seed in range(20)]
    assert np.mean(n_things) > 2.5
    assert len(set(n_things)) > 2


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_things_in_front_come_in_the_stated_share(share):
    spec = replace(STREET, front_share=share)
    hides = []
    for seed in range(25):
        joints, cameras, around = drawn(spec, seed)
        gaps = [
            sight_gap(*thing, joints, cameras) for thing in zip(*footprints(around), strict=True)
        ]
        hides.append(sum(gap < 0.3 for gap in gaps))
    # Now and then there is no place from which a thing could hide somebody and touch nobody.
    assert np.mean(hides) == pytest.approx(share, abs=0.25 * share)
    assert max(hides) == share


def test_a_street_is_open_above_and_a_room_is_not():
    assert np.isinf(drawn(STREET, 0)[2].room[1, 2])
    assert 3 < drawn(SCENES["lab"], 0)[2].room[1, 2] < 5
    length, width = sorted(np.ptp(drawn(STREET, 0)[2].room[:, :2], axis=0))[::-1]
    assert length > 40
    assert width < 25


def test_surroundings_are_fixed_by_the_seed():
    one, again, other = (drawn(SCENES["wide"], seed)[2] for seed in (4, 4, 5))
    assert (one.room == again.room).all()
    for a, b in zip(one.boxes, again.boxes, strict=True):
        assert (a == b).all()
    assert (one.room != other.room).any()
