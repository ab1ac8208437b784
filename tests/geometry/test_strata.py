"""Bins by quantiles, body parts and speeds; the properties that a report sorts by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.geometry.novelty import sample_poses
from auglift.geometry.properties import PROPERTIES, Rows, strata_of
from auglift.geometry.scoring import Truth
from auglift.geometry.skeleton import H36M_17, WHOLEBODY_133
from auglift.geometry.strata import (
    body_parts,
    joint_speed,
    part_of,
    quantile_edges,
    stratify,
)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e3, 1e3) | st.just(float("nan")), min_size=1), st.integers(1, 6))
def test_every_number_is_in_the_bin_that_holds_it(values, n_bins):
    array = np.array(values)
    edges = quantile_edges(array, n_bins)
    found = stratify("x", "", array, n_bins, "m", 3)
    assert found.of_joint.shape == (len(values), 3)
    assert len(found.labels) == max(len(edges) - 1, 0) <= n_bins
    for value, bins in zip(values, found.of_joint, strict=True):
        if np.isnan(value):
            assert (bins == -1).all()
        else:
            assert edges[bins[0]] <= value <= edges[bins[0] + 1]


def test_bins_hold_about_as_many():
    values = np.random.default_rng(0).normal(size=(1000, 1)) ** 3
    found = stratify("x", "", values, 4, "m", 1)
    assert np.bincount(found.of_joint.ravel()).tolist() == [250] * 4
    assert all(label.endswith(" m") for label in found.labels)


def test_every_joint_belongs_to_a_part():
    found = body_parts(H36M_17, 2)
    by_name = dict(zip(H36M_17.joints, found.of_joint[1], strict=True))
    assert found.labels[by_name["left_wrist"]] == "ankles and wrists"
    assert found.labels[by_name["head"]] == "trunk and head"
    assert len(found.labels) == 4
    whole = body_parts(WHOLEBODY_133, 1).labels
    assert {"hands", "face", "feet"} < set(whole)
    for joint, part in {
        "left_hip": "hips and shoulders", "right_lip_2": "face", "left_middle_finger_3": "hands",
        "right_big_toe": "feet", "nose": "trunk and head", "left_hand_root": "hands",
    }.items():  # fmt: skip
        assert part_of(joint) == part


def test_speed_is_about_the_root_and_within_the_track():
    time_s = np.array([0.0, 0.1, 0.3, 0.0, 0.1, 0.0])
    pose = np.zeros((6, 17, 3))
    pose[:, 3, 0] = [0.0, 0.1, 0.5, 7.0, 7.0, 9.0]  # 1 m/s, 2 m/s | at rest | alone
    pose += np.arange(6)[:, None, None]  # everybody walks
    speed = joint_speed(pose, time_s, np.array([0, 3, 5, 6]), H36M_17)
    np.testing.assert_allclose(speed[:5, 3], [1.0, 1.5, 2.0, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(speed[:5, 4], 0.0, atol=1e-9)
    assert np.isnan(speed[5]).all()


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    pose = 4.0 + rng.normal(0, 0.3, (40, 17, 3))
    counted = rng.random((40, 17)) > 0.1
    counted[7] = False
    truth = Truth(H36M_17, pose, counted, np.arange(40) / 25, np.array([0, 40]))
    keypoints = 1000 * pose[..., :2] / pose[..., 2:] + 500
    columns = {
        "keypoints_2d": keypoints,
        "joints_2d": keypoints + [3.0, 4.0] * np.arange(1, 41)[:, None, None],
        "box_xyxy": np.tile([100.0, 200.0, 300.0, 700.0], (40, 1)),
    }
    return Rows(columns, truth, sample_poses(pose[::2], H36M_17), 4)


def test_properties_by_name(rows):
    found = {one.name: one for one in strata_of(tuple(PROPERTIES), rows)}
    assert list(found) == [
        "occlusion of the joint", "occlusion of the person", "pose novelty", "detector error",
        "motion speed", "body part",
    ]  # fmt: skip
    assert found["occlusion of the joint"].labels == ("free", "hidden")
    # 5 px for each row's number, of a box of √(200·500) px.
    assert found["detector error"].labels[-1].endswith(f"{100 * 200 / np.sqrt(1e5):.3g} %")
    for one in found.values():
        assert (one.of_joint[:, H36M_17.index("pelvis")] == -1).all()
    # The row in which nothing counts is in no bin of numbers.
    for name in ("occlusion of the person", "pose novelty", "detector error", "motion speed"):
        assert (found[name].of_joint[7] == -1).all(), name


def test_no_novelty_without_training_poses(rows):
    unknown = rows._replace(learned=np.empty((0, 17, 3)))
    assert strata_of(("novelty",), unknown) == []
