"""Everybody stands on the ground, at his place or in a row where nobody stands in another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from auglift.geometry.ground import World
from auglift.outputs.people3d import LiftedPeople
from auglift.outputs.staging import BESIDE_M, make_stage

Make = Callable[..., LiftedPeople]


def without_places(clip: LiftedPeople) -> LiftedPeople:
    return replace(clip, people=[replace(person, root_m=None) for person in clip.people])


def test_distances_between_people_and_from_the_camera_stay(lifted: Make, walk: np.ndarray) -> None:
    other = walk + np.array([0.7, 0.1, 1.0])
    stage = make_stage(lifted(walk, other, world=World(up="y")))
    assert stage.is_placed
    assert stage.camera is not None
    np.testing.assert_allclose(
        stage.poses[1] - stage.poses[0], np.broadcast_to((0.7, -0.1, -1.0), walk.shape), atol=1e-9
    )
    axes = np.stack([stage.camera[name] for name in ("right", "down", "forward")])
    seen = (stage.poses[0] - stage.camera["at"]) @ axes.T
    np.testing.assert_allclose(seen, walk, atol=1e-9)


def test_the_ground_is_below_the_feet_unless_the_world_knows_it(
    lifted: Make, walk: np.ndarray
) -> None:
    (pose,) = make_stage(lifted(walk)).poses
    assert np.abs(pose[..., 1].min(axis=1)).max() < 0.1
    world = World(translation=np.array([0.0, 3.0, 0.0]))
    (pose,) = make_stage(lifted(walk, world=world)).poses
    np.testing.assert_allclose(pose[..., 1], 3.0 - walk[..., 1])


def test_a_person_without_a_place_among_placed_ones_is_nowhere(
    lifted: Make, walk: np.ndarray
) -> None:
    clip = lifted(walk, walk)
    clip = replace(clip, people=[clip.people[0], replace(clip.people[1], root_m=None)])
    known, unknown = make_stage(clip).poses
    assert np.isfinite(known).all()
    assert np.isnan(unknown).all()


def test_a_squatting_persons_hips_sink_where_places_are_not_known(
    lifted: Make, walk: np.ndarray
) -> None:
    ankles = [3, 6]
    walk[3, ankles, 1] -= 0.3  # about the root, squatting lifts the feet
    stage = make_stage(without_places(lifted(walk)))
    assert not stage.is_placed
    np.testing.assert_allclose(stage.poses[0][..., 1].min(axis=1), 0.0, atol=1e-12)
    assert stage.poses[0][3, 0, 1] < stage.poses[0][2, 0, 1] - 0.1


def test_who_comes_when_another_has_left_takes_his_place(lifted: Make, walk: np.ndarray) -> None:
    clip = without_places(lifted(walk, walk, walk))
    late = replace(clip.people[2], time_s=clip.people[2].time_s + 10.0)
    stage = make_stage(replace(clip, people=[*clip.people[:2], late]))
    assert stage.beside_m == pytest.approx([-BESIDE_M / 2, BESIDE_M / 2, -BESIDE_M / 2])
    left, right, _ = stage.in_a_row(1.0, 0.0, -1.0)
    aside = np.broadcast_to((BESIDE_M, 0.0, -BESIDE_M), walk.shape)
    np.testing.assert_allclose(right - left, aside, atol=1e-12)


def test_an_empty_stage(lifted: Make) -> None:
    stage = make_stage(lifted())
    assert (stage.poses, stage.beside_m, stage.camera) == ([], [], None)
