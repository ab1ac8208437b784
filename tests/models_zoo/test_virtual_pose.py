"""Joints that can be seen are found where they are; hidden ones are guessed, and not trusted.

A joint can be seen when at least 95 % of its ball's disc shows, and that is 4 picture pixels or
more. It is found when it is within 1 px: of the picture, or of the network where that is larger.
"""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from auglift.detection.crops import crop_boxes
from auglift.detection.people import PersonDetector
from auglift.detection.poses2d import PoseEstimator2d
from auglift.geometry.skeleton import COCO_17
from auglift.studio.palette import BACKGROUND


@pytest.fixture(scope="module")
def find_people(network):
    return PersonDetector(network("virtual-person")).detect


@pytest.fixture(scope="module")
def find_joints(network):
    return PoseEstimator2d(network("virtual-pose")).estimate


def compare(shot, slot, poses, i_person, box):
    """What was found of one person beside what is true, all (17,)."""
    error_px = np.linalg.norm(poses.keypoints_2d[i_person] - shot.joints_px(slot), axis=-1)
    (network_px,) = crop_boxes(box[None], (192, 256), 1.25).size_px[:, 0] / 192
    share, n_px = shot.visible[slot].T
    return SimpleNamespace(
        error=error_px / max(1.0, network_px),
        confidence=poses.confidence[i_person],
        share=share,
        seen=(share >= 0.95) & (n_px >= 4),
    )


def joined(comparisons):
    return SimpleNamespace(
        **{
            name: np.concatenate([getattr(c, name) for c in comparisons])
            for name in vars(comparisons[0])
        }
    )


def compare_all(shots, find_people, find_joints):
    """Everything about the one person of each shot, through both networks."""
    comparisons = []
    for shot in shots:
        (found,) = find_people([shot.picture.rgb])
        (poses,) = find_joints([shot.picture.rgb], [found.boxes_xyxy])
        comparisons.append(compare(shot, 0, poses, 0, found.boxes_xyxy[0]))
        wrong = comparisons[-1].seen & (comparisons[-1].error > 1)
        assert not wrong.any(), f"{shot.name}: {np.array(COCO_17.joints)[wrong]}"
    return joined(comparisons)


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
def test_visible_joints_are_found_and_hidden_ones_not_trusted(
    shoot, find_people, find_joints, scene, size, seeds
):
    all_joints = compare_all(shoot(scene, size, seeds), find_people, find_joints)
    assert all_joints.seen.sum() > 40
    hidden = all_joints.share == 0
    assert hidden.sum() >= 5
    assert all_joints.confidence[hidden].max() < 0.3
    assert all_joints.confidence[hidden].mean() < 0.05
    assert np.median(all_joints.confidence[all_joints.seen]) > 0.85
    assert all_joints.confidence.max() <= 0.95 + 1e-6


def test_the_confidence_falls_with_the_visible_share(shoot, find_people, find_joints):
    shots = [*shoot("lab", 0.4, range(4)), *shoot("street", 0.3, range(10))]
    all_joints = compare_all(shots, find_people, find_joints)
    bins = [(0.95, 1.01), (0.5, 0.8), (0.1, 0.4), (0.0, 0.01)]
    means = [
        all_joints.confidence[(all_joints.share >= low) & (all_joints.share < high)].mean()
        for low, high in bins
    ]
    assert all(more > less + 0.1 for more, less in pairwise(means)), means


@pytest.mark.parametrize("joint", ["left_wrist", "right_knee", "left_ankle"])
def test_a_joint_that_disappears_bit_by_bit(shoot, find_joints, joint):
    k = COCO_17.index(joint)
    shot = next(s for s in shoot("street", 0.3, range(10)) if s.visible[0][k, 0] == 1)
    box = shot.body_xyxy(0)
    (x, y), radius_px = shot.joints_px(0)[k], np.sqrt(shot.visible[0][k, 1] / np.pi) + 2
    confidences, errors_px = [], []
    for covered in (0.0, 0.3, 0.5, 0.7, 1.0):
        rgb = shot.picture.rgb.copy()
        left, top = max(round(x - radius_px), 0), max(round(y - radius_px), 0)
        width = round(covered * 2 * radius_px)
        rgb[top : round(y + radius_px) + 1, left : left + width, :2] = BACKGROUND
        if covered == 1:
            rgb[top : round(y + radius_px) + 1, left : left + width + 2, :2] = BACKGROUND
        (poses,) = find_joints([rgb], [box[None]])
        confidences.append(float(poses.confidence[0, k]))
        errors_px.append(float(np.linalg.norm(poses.keypoints_2d[0, k] - [x, y])))
    assert all(more >= less for more, less in pairwise(confidences)), confidences
    assert confidences[0] > 0.5
    assert confidences[-1] < 0.05
    # The guess is a poor one, yet on the person.
    assert 2 < errors_px[-1] < 0.5 * (box[3] - box[1])
    assert (poses.keypoints_2d[0, k] > box[:2]).all()
    assert (poses.keypoints_2d[0, k] < box[2:]).all()


@pytest.mark.parametrize(
    ("scene", "size", "seeds"), [("lab", 0.3, range(4)), ("street", 0.3, range(14))]
)
def test_everybody_gets_his_own_joints(shoot, find_joints, scene, size, seeds):
    seen, wrong, hidden_but_trusted = 0, 0, 0
    for shot in shoot(scene, size, seeds, 2):
        if any(shot.body(slot).sum() < 100 for slot in (0, 1)):
            continue
        boxes = np.array([shot.body_xyxy(slot) for slot in (0, 1)])
        (poses,) = find_joints([shot.picture.rgb], [boxes])
        apart = boxes[0, 2] < boxes[1, 0] or boxes[1, 2] < boxes[0, 0]
        for slot in (0, 1):
            person = compare(shot, slot, poses, slot, boxes[slot])
            assert not (apart and (person.error[person.seen] > 1).any()), shot.name
            seen += person.seen.sum()
            wrong += (person.seen & (person.error > 1)).sum()
            hidden_but_trusted += ((person.share == 0) & (person.confidence > 0.3)).sum()
    assert seen > 200
    # Where people overlap, a few joints are taken from the other one, but never the whole pose.
    assert wrong < 0.05 * seen
    assert hidden_but_trusted < 0.1 * seen


def test_a_crop_without_people_is_not_trusted(shoot, find_joints):
    shot = shoot("lab", 0.15, range(8))[0]
    width, height = shot.camera.image_wh
    grey = np.full((height, width, 3), 116, np.uint8)
    (poses,) = find_joints([grey], [np.array([[10.0, 10.0, 60.0, 140.0]])])
    assert poses.confidence.max() < 0.05
