"""Object keypoint similarity against its formula, joint by joint."""

from __future__ import annotations

import math

import numpy as np
import pytest

from auglift.detection.likeness import keypoint_likeness
from auglift.geometry.skeleton import COCO_17, H36M_17, Skeleton
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.tables import Table

# pycocotools' kpt_oks_sigmas, in COCO's order.
COCO_SIGMAS = np.array(
    [.26, .25, .25, .35, .35, .79, .79, .72, .72, .62, .62, 1.07, 1.07, .87, .87, .89, .89]
) / 10  # fmt: skip
RNG = np.random.default_rng(0)


def people(points: np.ndarray, visible: np.ndarray) -> Table:
    metadata = TableMetadata(kind="annotations", skeleton="h36m_17", fps=25.0, distortion="none")
    return Table(metadata, {"keypoints_2d": points, "visible": visible, "frame": np.zeros(1)})


def test_on_cocos_own_joints_it_is_cocos() -> None:
    points = RNG.uniform(0, 200, (1, 17, 2))
    visible = RNG.random((1, 17)) < 0.7
    found = points[:, None] + RNG.normal(0, 8, (1, 3, 17, 2))
    seen = points[0][visible[0]]
    area = np.prod(seen.max(axis=0) - seen.min(axis=0))
    for candidate in range(3):
        terms = [
            math.exp(-((points[0, j] - found[0, candidate, j]) ** 2).sum()
                     / (2 * area * (2 * COCO_SIGMAS[j]) ** 2))
            for j in range(17) if visible[0, j]
        ]  # fmt: skip
        alike = keypoint_likeness(people(points, visible), found, COCO_17)
        assert alike[0, candidate] == pytest.approx(np.mean(terms), rel=1e-9)


@pytest.mark.parametrize("skeleton", [H36M_17, COCO_17])
def test_the_same_joints_are_wholly_alike(skeleton: Skeleton) -> None:
    points = RNG.uniform(0, 200, (2, 17, 2))
    found = np.stack([points, points + 5000], axis=1)
    alike = keypoint_likeness(people(points, np.ones((2, 17), bool)), found, skeleton)
    assert alike == pytest.approx(np.array([[1.0, 0], [1, 0]]))


def test_joints_that_coco_does_not_know_do_not_count() -> None:
    points = RNG.uniform(0, 200, (1, 17, 2))
    found = points[:, None].copy()
    found[..., H36M_17.indices("pelvis", "spine", "thorax", "neck_base", "head"), :] += 100
    everybody = people(points, np.ones((1, 17), bool))
    assert keypoint_likeness(everybody, found, H36M_17)[0, 0] == 1
    found[..., H36M_17.index("left_knee"), :] = np.nan  # one of twelve was not found
    assert keypoint_likeness(everybody, found, H36M_17)[0, 0] == pytest.approx(11 / 12)


def test_nobody_visible_is_like_nobody() -> None:
    points = np.full((1, 17, 2), np.nan)
    hidden = people(points, np.zeros((1, 17), bool))
    assert keypoint_likeness(hidden, np.zeros((1, 1, 17, 2)), H36M_17)[0, 0] == 0
