"""Where a 2D network finds the joints of a person whose true place is known.

In:  a `Sight`: true COCO-17 points in the picture over T instants, and which of them are hidden.
Out: `Found`: keypoints and confidences as a detector gives them, the box, and whether the person
     was found at all.

Errors are those of RTMPose by kind: larger where a joint is hidden, outside the picture or small;
heavy tails; left and right of a limb taken for each other where they overlap; joints lost; nothing
outside the crop that the network sees. Confidence is what the network knows of all that: more of
the error to be expected than of the one that was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from auglift.geometry.skeleton import COCO_17, LIMBS
from auglift.studio.courses import course, happens
from auglift.studio.noise import NoiseConfig

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

# COCO's keypoint evaluation: spread of annotators per joint, in square roots of the person's area.
_SPREAD = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072,
    "wrist": 0.062, "hip": 0.107, "knee": 0.087, "ankle": 0.089,
}  # fmt: skip
COCO_SPREAD = np.array([_SPREAD[joint.rpartition("_")[2]] for joint in COCO_17.joints])

# Square root of the area that a standing adult covers: COCO's areas are 0.53 of their boxes, and
# 0.53 × 1.75 m × 0.5 m is (0.68 m)².
_AREA_ROOT_M = 0.68
# Flesh beyond the joints on every side of the box: hands, crown, soles.
_FLESH_M = 0.12
# RTMPose's crop: the box enlarged, then widened to 3 : 4.
_CROP_PADDING = 1.25
_CROP_ASPECT = 0.75
# With fewer joints in the picture nobody is detected.
_FEWEST_JOINTS = 3
_MISSED_GROWTH = 4.0  # see NoiseConfig.missed_rate
_EVENT_MEMORY_S = 0.25  # swaps, lost joints and missed people last some frames (estimate)
_LOST_CONFIDENCE = 0.15
# Share of a joint's confidence that follows the error to be expected; the rest the one made.
_EXPECTED_SHARE = 0.6
_BOX_SCORE, _HIDDEN_COST = 0.92, 0.35

_SWAPPED = [
    (COCO_17.indices(*left[1:]), COCO_17.indices(*right[1:]))
    for left, right in zip(LIMBS[::2], LIMBS[1::2], strict=True)
]
"""Left and right joints of the legs and of the arms, below hip and shoulder."""


@dataclass(frozen=True, eq=False)
class Sight:
    """A person before a camera at T instants."""

    points_px: FloatArray
    """(T, 17, 2) true places of COCO-17's joints; NaN behind the camera."""
    hidden: BoolArray
    """(T, 17) whether something lies before the joint's own flesh."""
    px_per_m: FloatArray
    """(T,) at the person's depth."""
    picture_wh: tuple[int, int]
    rate_hz: float

    @property
    def inside(self) -> BoolArray:
        """(T, 17) whether a joint lies in the picture."""
        limits = np.array(self.picture_wh) - 1
        return np.asarray(((self.points_px >= 0) & (self.points_px <= limits)).all(axis=-1))


@dataclass(frozen=True, eq=False)
class Found:
    """What the detector says; NaN where it did not detect anybody."""

    keypoints_px: FloatArray
    """(T, 17, 2)"""
    confidence: FloatArray
    """(T, 17)"""
    box_xyxy: FloatArray
    """(T, 4)"""
    box_score: FloatArray
    """(T,)"""
    detected: BoolArray
    """(T,)"""


def detect_exactly(sight: Sight) -> Found:
    """A detector without errors: full confidence, and nobody missed who is in the picture."""
    points = sight.points_px.astype(np.float32)
    box = _box_around(points, sight.px_per_m, sight.picture_wh)
    detected = sight.inside.any(axis=1) & np.isfinite(points).all(axis=(1, 2)) & _has_area(box)
    confidence = np.ones(points.shape[:2], np.float32)
    return _only_where(detected, points, confidence, box, np.ones(len(points), np.float32))


def detect_with_errors(sight: Sight, noise: NoiseConfig, rng: np.random.Generator) -> Found:
    """A detector whose errors are drawn from `noise`."""
    unseen = sight.hidden | ~sight.inside
    truth = np.nan_to_num(sight.points_px).astype(np.float32)
    crop = _crop(truth, sight)
    unit_px = (COCO_SPREAD * _AREA_ROOT_M * sight.px_per_m[:, None]).astype(np.float32)
    expected = _expected_error(sight, noise, unit_px, rng)
    drawn = course(rng, truth.shape, sight.rate_hz, noise.error_memory_s, noise.steady_share)
    error = (expected * unit_px)[..., None] * drawn
    points = _swap(truth + error, sight, noise, rng)
    lost = happens(rng, noise.lost_rate * (1.0 + 3.0 * unseen), sight.rate_hz, _EVENT_MEMORY_S)
    anywhere = ndtr(course(rng, truth.shape, sight.rate_hz, _EVENT_MEMORY_S))
    points[lost] = (crop[:, :1] + anywhere * (crop[:, 1:] - crop[:, :1]))[lost]
    made = np.linalg.norm(error, axis=-1) / unit_px
    confidence = _confidence(expected, made, sight, noise, rng)
    confidence[lost] *= _LOST_CONFIDENCE
    points = np.clip(points, crop[:, :1], crop[:, 1:])
    box, score = _detected_box(points, unseen, sight, noise, rng)
    share = unseen.mean(axis=1)
    missed = happens(
        rng, noise.missed_rate * np.exp(_MISSED_GROWTH * share), sight.rate_hz, _EVENT_MEMORY_S
    )
    detected = ~missed & (sight.inside.sum(axis=1) >= _FEWEST_JOINTS) & _has_area(box)
    return _only_where(detected, points, confidence, box, score)


def _expected_error(
    sight: Sight, noise: NoiseConfig, unit_px: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Standard deviation (T, 17) of the error on each axis, in COCO's spreads."""
    size = np.where(sight.hidden, noise.occluded_error, noise.visible_error)
    size = np.where(sight.inside, size, noise.outside_error)
    tail = course(rng, size.shape, sight.rate_hz, noise.error_memory_s, noise.steady_share)
    size = size * np.exp(noise.error_tail * tail)
    expected: FloatArray = np.hypot(size, noise.pixel_error_px / unit_px)
    return expected.astype(np.float32)


def _swap(
    points: FloatArray, sight: Sight, noise: NoiseConfig, rng: np.random.Generator
) -> FloatArray:
    """Exchange left and right of arms and legs, whole limbs below the shoulder or hip."""
    swapped = points.copy()
    for left, right in _SWAPPED:
        apart_px = np.linalg.norm(points[:, left] - points[:, right], axis=-1).mean(axis=1)
        reach = apart_px / (noise.swap_reach_m * sight.px_per_m)
        chance = noise.swap_rate * np.exp(-(reach**2))
        happening = happens(rng, chance, sight.rate_hz, _EVENT_MEMORY_S)
        now = np.flatnonzero(happening)[:, None]
        swapped[now, left], swapped[now, right] = points[now, right], points[now, left]
    return swapped


def _confidence(
    expected: FloatArray,
    made: FloatArray,
    sight: Sight,
    noise: NoiseConfig,
    rng: np.random.Generator,
) -> FloatArray:
    """(T, 17), from the expected error and the one made, both in COCO's spreads."""
    # A 2D error is on average 1.25 times its standard deviation on one axis.
    known = _EXPECTED_SHARE * expected + (1 - _EXPECTED_SHARE) * made / 1.25
    log_c = -noise.doubt * known - noise.occluded_doubt * sight.hidden
    log_c -= noise.outside_doubt * ~sight.inside
    drawn = course(rng, log_c.shape, sight.rate_hz, noise.error_memory_s)
    confidence: FloatArray = np.exp(log_c) + noise.confidence_error * drawn
    return np.maximum(confidence, 0.01).astype(np.float32)


def _detected_box(
    points: FloatArray,
    unseen: BoolArray,
    sight: Sight,
    noise: NoiseConfig,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Box (T, 4) around the keypoints in the picture, its sides in error, and its score (T,)."""
    box = _box_around(points, sight.px_per_m, sight.picture_wh)
    sides = box[:, 2:] - box[:, :2]
    drawn = course(rng, box.shape, sight.rate_hz, noise.error_memory_s, noise.steady_share)
    box = box + noise.box_error * np.tile(sides, 2) * drawn
    wobble = course(rng, sides.shape[:1], sight.rate_hz, noise.error_memory_s)
    score = _BOX_SCORE - _HIDDEN_COST * unseen.mean(axis=1) + noise.confidence_error * wobble
    return _inside(box, sight.picture_wh), np.clip(score, 0.3, 1.0).astype(np.float32)


def _box_around(
    points: FloatArray, px_per_m: FloatArray, picture_wh: tuple[int, int]
) -> FloatArray:
    """Box (T, 4) of the flesh around points (T, 17, 2), as far as it is in the picture."""
    flesh_px = (_FLESH_M * px_per_m)[:, None]
    low, high = points.min(axis=1) - flesh_px, points.max(axis=1) + flesh_px
    return _inside(np.concatenate([low, high], axis=1), picture_wh)


def _inside(box: FloatArray, picture_wh: tuple[int, int]) -> FloatArray:
    limits = np.array(picture_wh, np.float32)
    return np.clip(box, 0, np.tile(limits, 2)).astype(np.float32)


def _has_area(box: FloatArray) -> BoolArray:
    return np.asarray((box[:, 2:] - box[:, :2] >= 1.0).all(axis=1))


def _crop(truth: FloatArray, sight: Sight) -> FloatArray:
    """Corners (T, 2, 2) of what the pose network sees: nothing is ever found beyond."""
    box = _box_around(truth, sight.px_per_m, sight.picture_wh).reshape(-1, 2, 2)
    middle, size = box.mean(axis=1), (box[:, 1] - box[:, 0]) * _CROP_PADDING
    width = np.maximum(size[:, 0], size[:, 1] * _CROP_ASPECT)
    half = 0.5 * np.stack([width, width / _CROP_ASPECT], axis=1)
    return np.stack([middle - half, middle + half], axis=1).astype(np.float32)


def _only_where(
    detected: BoolArray,
    points: FloatArray,
    confidence: FloatArray,
    box: FloatArray,
    score: FloatArray,
) -> Found:
    """NaN for the instants at which nobody was detected."""

    def masked(values: FloatArray) -> FloatArray:
        values = values.astype(np.float32)
        values[~detected] = np.nan
        return values

    return Found(masked(points), masked(confidence), masked(box), masked(score), detected)
