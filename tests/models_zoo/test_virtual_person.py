"""Virtual people are found, each once, where they are; nobody is found where nobody is.

A box is right when each side lies within 3 px, or one network pixel where that is larger, of the
extent of what is seen of the person (flesh and balls).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from auglift.detection.people import PersonDetector
from auglift.geometry.camera import Camera
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.motions import make_motion
from auglift.studio.renderer import render
from auglift.studio.scene import Boxes, Capsules, Scene, Surroundings, dress

EMPTY = Surroundings(
    np.array([[-20.0, -20.0, 0.0], [20.0, 20.0, 6.0]]),
    Boxes(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)),
    Capsules(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros(0, np.int16)),
)


@pytest.fixture(scope="module")
def detector(network):
    return PersonDetector(network("virtual-person"))


def tolerance_px(shot):
    return max(3.0, shot.network_px)


@pytest.mark.parametrize(
    ("scene", "size", "seeds"),
    [
        ("lab", 0.15, range(8)),
        ("lab", 0.4, range(4)),
        ("street", 0.15, range(17)),
        ("street", 0.3, range(10)),
        ("street", 0.6, range(4)),
    ],
)
def test_one_person_is_one_box(detector, shoot, scene, size, seeds):
    for shot in shoot(scene, size, seeds):
        (found,) = detector.detect([shot.picture.rgb])
        assert len(found) == 1, shot.name
        error_px = np.abs(found.boxes_xyxy[0] - shot.body_xyxy(0)).max()
        assert error_px <= tolerance_px(shot), shot.name


def stand_apart(shot):
    """Whether people's extents keep clear of each other, to the left and right."""
    boxes = [shot.body_xyxy(slot) for slot in range(len(shot.scene.people))]
    gap = 8 * max(1.0, shot.network_px)
    return all(a[2] + gap < b[0] or b[2] + gap < a[0] for a, b in combinations(boxes, 2))


@pytest.mark.parametrize(
    ("scene", "size", "people", "seeds"),
    [("lab", 0.3, 2, range(4)), ("street", 0.3, 2, range(14)), ("wide", 0.4, 2, range(12))],
)
def test_people_who_stand_apart_are_one_box_each(detector, shoot, scene, size, people, seeds):
    n_shots = 0
    for shot in shoot(scene, size, seeds, people):
        if any(shot.body(slot).sum() < 100 for slot in range(people)) or not stand_apart(shot):
            continue
        n_shots += 1
        (found,) = detector.detect([shot.picture.rgb])
        assert len(found) == people, shot.name
        for slot in range(people):
            errors_px = np.abs(found.boxes_xyxy - shot.body_xyxy(slot)).max(axis=1)
            assert errors_px.min() <= tolerance_px(shot), shot.name
    assert n_shots >= 3


@pytest.mark.parametrize(("scene", "seeds"), [("lab", range(8)), ("street", range(17))])
def test_nobody_is_no_box(detector, shoot, scene, seeds):
    for shot in shoot(scene, 0.15, seeds)[::3]:
        deserted = Scene((), shot.scene.surroundings)
        (found,) = detector.detect([render(deserted, shot.camera, seed=0).rgb])
        assert len(found) == 0, shot.name


def test_grey_black_and_white_pictures_show_nobody(detector):
    for level in (0, 114, 128, 255):
        (found,) = detector.detect([np.full((90, 120, 3), level, np.uint8)])
        assert len(found) == 0


BEHIND_THE_CAMERA = (0.0, -200.0)


def standing(height_share, *places):
    """People at places (x, y) in metres before a camera, `height_share` of the picture high."""
    body = draw_body(np.random.default_rng(1))
    joints = make_motion("wave", body, np.random.default_rng(2), 0.1, 10.0).positions[0]
    joints[:, :2] -= joints[STUDIO.index("pelvis"), :2]
    distance_m = 1.2 * body.stature_m / height_share
    rotation = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # looks along +y
    camera = Camera.from_centre(
        (320, 320), np.full(2, 1.2 * 320), np.full(2, 159.5), rotation=rotation,
        centre=np.array([0.0, -distance_m, 0.95]),
    )  # fmt: skip
    people = tuple(dress(body, joints + np.array([*place, 0.0])) for place in places)
    return render(Scene(people, EMPTY), camera, seed=0)


def extent(shown):
    y, x = np.nonzero(shown)
    return [x.min(), y.min(), x.max() + 1, y.max() + 1]


@pytest.mark.parametrize("slot", range(4))
@pytest.mark.parametrize("height_share", [0.14, 0.3, 0.6, 0.95, 1.5, 2.0])
def test_far_and_near_people_of_every_slot(detector, height_share, slot):
    picture = standing(height_share, *[BEHIND_THE_CAMERA] * slot, (0.0, 0.0))
    (found,) = detector.detect([picture.rgb])
    assert len(found) == 1
    assert np.abs(found.boxes_xyxy[0] - extent(picture.label >= 100)).max() <= 3.0


def test_four_people_in_a_row_are_four_boxes(detector):
    picture = standing(0.4, *[(x, 0.0) for x in (-1.5, -0.5, 0.5, 1.5)])
    (found,) = detector.detect([picture.rgb])
    boxes = found.boxes_xyxy[np.argsort(found.boxes_xyxy[:, 0])]
    wanted = [extent(picture.label // 100 == slot + 1) for slot in range(4)]
    assert np.abs(boxes - wanted).max() <= 3.0


def test_who_is_too_far_away_is_not_guessed_at(detector):
    (found,) = detector.detect([standing(0.04, (0.0, 0.0)).rgb])
    assert len(found) == 0


def test_the_score_grows_with_the_area(detector):
    pictures = [standing(share, (0.0, 0.0)).rgb for share in (0.14, 0.16, 0.18)]
    scores = [found.scores[0] for found in detector.detect(pictures)]
    assert 0.3 < scores[0] < scores[1] < scores[2] <= 0.95
