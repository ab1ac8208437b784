"""The way to the networks and back, on pictures of every shape.

The virtual world's networks read places and depth off colours, so what comes out is known: whatever
the letterbox, the crop and the bins do to a picture, its joints come back to where they were.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from auglift.datasets.options import DatasetOptions
from auglift.datasets.virtual import list_sequences, read_sequence
from auglift.detection.default_models import VIRTUAL
from auglift.detection.detector import Detector, Seen
from auglift.detection.zoo_detector import open_detector
from auglift.geometry.skeleton import COCO_17, H36M_17
from auglift.storage.video import read_video

FAR_WALL = (116, 116, 250)
COCO_JOINTS = [H36M_17.index(joint) for joint in H36M_17.joints if joint in COCO_17.joints]


class Shot(NamedTuple):
    """A picture, and where its person's joints truly are (17, 2)."""

    picture: npt.NDArray[np.uint8]
    joints: npt.NDArray[np.float64]


def padded(shot: Shot, left: int, top: int, right: int, bottom: int) -> Shot:
    picture = cv2.copyMakeBorder(
        shot.picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=FAR_WALL
    )
    return Shot(np.asarray(picture, np.uint8), shot.joints + np.array([left, top]))


def enlarged(shot: Shot, times: int) -> Shot:
    picture = shot.picture.repeat(times, axis=0).repeat(times, axis=1)
    return Shot(picture, (shot.joints + 0.5) * times - 0.5)


def mirrored(shot: Shot) -> Shot:
    width = shot.picture.shape[1]
    return Shot(
        np.ascontiguousarray(shot.picture[:, ::-1]),
        np.array([width - 1, 0]) + shot.joints * np.array([-1, 1]),
    )


def sides(shot: Shot, share_x: float, share_y: float) -> tuple[int, int, int, int]:
    height, width = shot.picture.shape[:2]
    x, y = round(share_x * width), round(share_y * height)
    return x, y, x // 3, y // 3


SHAPES: dict[str, Callable[[Shot], Shot]] = {
    "as filmed": lambda shot: shot,
    "portrait": lambda shot: padded(shot, *sides(shot, 0, 0.5)),
    "panorama": lambda shot: padded(shot, *sides(shot, 0.6, 0)),
    "odd sides": lambda shot: padded(shot, 13, 7, 0, 4),
    "huge": lambda shot: enlarged(shot, 9),
    "huge portrait": lambda shot: enlarged(padded(shot, *sides(shot, 0, 0.5)), 6),
    "mirrored": mirrored,
}


@pytest.fixture(scope="module")
def detector() -> Detector:
    return open_detector(*VIRTUAL, device="cpu", threads=1).detector


@pytest.fixture(scope="module")
def shots(virtual_data) -> list[Shot]:
    options = DatasetOptions()
    made = []
    for sequence in list_sequences(virtual_data, options)[::5]:
        truth = read_sequence(virtual_data, sequence, 1, options)
        frame = next(iter(read_video(virtual_data / truth.source)))
        made.append(Shot(frame.picture, truth.keypoints_2d[0].astype(float)))
    return made


@pytest.fixture(scope="module", params=SHAPES)
def seen(
    request: pytest.FixtureRequest, detector: Detector, shots: list[Shot]
) -> list[tuple[Shot, Seen]]:
    """Each shot in one shape, and what is seen in it."""
    shaped = [SHAPES[request.param](shot) for shot in shots]
    return list(zip(shaped, detector.look([shot.picture for shot in shaped]), strict=True))


def test_joints_come_back_to_a_fraction_of_a_pixel(seen: list[tuple[Shot, Seen]]) -> None:
    """In pixels of the pose network or of the picture as filmed, whichever are larger."""
    errors = []
    for shot, (found, _) in seen:
        assert len(found) == 1
        sides_px = found.box_xyxy[0, 2:] - found.box_xyxy[0, :2]
        network_px = 1.25 * max(sides_px[0] / 192, sides_px[1] / 256)
        apart = np.linalg.norm(found.joints_2d[0] - shot.joints, axis=-1)[COCO_JOINTS]
        sure = found.joint_confidence[0, COCO_JOINTS] > 0.6
        assert sure.sum() >= 5
        errors += list(apart[sure] / max(network_px, shot.picture.shape[0] / 150))
    assert np.median(errors) < 0.3
    assert np.quantile(errors, 0.9) < 0.5


def test_depth_statistics_are_those_of_the_whole_map(seen: list[tuple[Shot, Seen]]) -> None:
    """By brute force: the map at the picture's size, every pixel of it tested for every disc."""
    for shot, (found, depth) in seen:
        assert depth is not None
        height, width = shot.picture.shape[:2]
        y, x = np.mgrid[:height, :width]
        whole = depth.sample(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(height, width)
        official = torch.nn.functional.interpolate(
            torch.from_numpy(depth.values)[None, None],
            (height, width),
            mode="bilinear",
            align_corners=True,
        )
        np.testing.assert_allclose(whole, official[0, 0].numpy(), rtol=3e-5)
        joints, radii = found.joints_2d[0].astype(float), found.radius_px[0].astype(float)
        for joint in range(0, 17, 4):
            (px, py), radius = joints[joint], radii[joint]
            disc = whole[(x - px) ** 2 <= radius**2 - (y - py) ** 2]
            point = whole[
                int(np.clip(np.floor(py + 0.5), 0, height - 1)),
                int(np.clip(np.floor(px + 0.5), 0, width - 1)),
            ]
            exact = [point, disc.min(), disc.max()]
            np.testing.assert_array_equal(found.depth_m[0, joint, [0, 2, 3]], exact)
            quantiles = np.quantile(disc.astype(np.float64), [0.5, 0.1, 0.9])
            np.testing.assert_allclose(found.depth_m[0, joint, [1, 4, 5]], quantiles, rtol=1e-7)


@pytest.mark.parametrize("kind", ["16 bits", "not contiguous"])
def test_the_same_picture_in_another_form(detector: Detector, shots: list[Shot], kind: str) -> None:
    (plain,) = detector.detect([shots[0].picture])
    if kind == "16 bits":
        other = shots[0].picture.astype(np.uint16) * 257
    else:
        other = np.asfortranarray(shots[0].picture)
    (found,) = detector.detect([other])
    for name, values in plain.columns().items():
        np.testing.assert_array_equal(found.columns()[name], values, err_msg=name)


@pytest.mark.parametrize("wh", [(1, 1), (3, 2000), (2000, 2), (40, 30)])
@pytest.mark.parametrize("form", ["grey", "rgb"])
def test_nobody_in_pictures_too_small_for_anybody(
    detector: Detector, wh: tuple[int, int], form: str
) -> None:
    shape = wh[::-1] if form == "grey" else (*wh[::-1], 3)
    (found,) = detector.detect([np.full(shape, 127, np.uint8)])
    assert len(found) == 0
