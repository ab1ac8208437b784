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
from auglift.studio.courses import course
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
    drawn = _Drawn.of(unseen, sight, noise, rng)
    truth = np.nan_to_num(sight.points_px).astype(np.float32)
    unit_px = (COCO_SPREAD * _AREA_ROOT_M * sight.px_per_m[:, None]).astype(np.float32)
    expected = _expected_error(sight, noise, unit_px, drawn)
    error = (expected * unit_px)[..., None] * drawn.jitter[..., :2]
    points = _swap(truth + error, sight, noise, drawn)
    crop = _crop(truth, sight)
    anywhere = crop[:, :1] + drawn.place * (crop[:, 1:] - crop[:, :1])
    points = np.where(drawn.lost[..., None], anywhere, points)
    points = np.clip(points, crop[:, :1], crop[:, 1:])
    made = np.hypot(error[..., 0], error[..., 1]) / unit_px
    confidence = _confidence(expected, made, sight, noise, drawn)
    box, score = _detected_box(points, unseen, sight, noise, drawn)
    enough = sight.inside.sum(axis=1) >= _FEWEST_JOINTS
    whole = np.isfinite(sight.points_px).all(axis=(1, 2))
    detected = enough & whole & ~drawn.missed & _has_area(box)
    return _only_where(detected, points, confidence, box, score)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """All that is left to chance."""

    jitter: FloatArray
    """(T, 17, 4) of x, y, the size of the error, and the confidence; normal."""
    box: FloatArray
    """(T, 5) of the box's sides and score; normal."""
    place: FloatArray
    """(T, 17, 2) in shares of the crop, for joints that are lost."""
    lost: BoolArray
    """(T, 17)"""
    swap: FloatArray
    """(T, 2) of legs and arms, uniform: swapped where below the chance of it."""
    missed: BoolArray
    """(T,)"""

    @classmethod
    def of(
        cls, unseen: BoolArray, sight: Sight, noise: NoiseConfig, rng: np.random.Generator
    ) -> _Drawn:
        n_times, n_joints = unseen.shape
        memory_s, steady = noise.error_memory_s, noise.steady_share
        of_joint = ndtr(course(rng, (n_times, n_joints, 3), sight.rate_hz, _EVENT_MEMORY_S))
        of_person = ndtr(course(rng, (n_times, 3), sight.rate_hz, _EVENT_MEMORY_S))
        # A joint out of sight is lost four times as easily (estimate).
        lost_chance = noise.lost_rate * (1.0 + 3.0 * unseen)
        missed_chance = noise.missed_rate * np.exp(_MISSED_GROWTH * unseen.mean(axis=1))
        return cls(
            jitter=course(rng, (n_times, n_joints, 4), sight.rate_hz, memory_s, steady),
            box=course(rng, (n_times, 5), sight.rate_hz, memory_s, steady),
            place=of_joint[..., :2],
            lost=np.asarray(of_joint[..., 2] < lost_chance),
            swap=of_person[:, :2],
            missed=np.asarray(of_person[:, 2] < missed_chance),
        )


def _expected_error(
    sight: Sight, noise: NoiseConfig, unit_px: FloatArray, drawn: _Drawn
) -> FloatArray:
    """Standard deviation (T, 17) of the error on each axis, in COCO's spreads."""
    size = np.where(sight.hidden, noise.occluded_error, noise.visible_error)
    size = np.where(sight.inside, size, noise.outside_error)
    size = size * np.exp(noise.error_tail * drawn.jitter[..., 2])
    expected: FloatArray = np.hypot(size, noise.pixel_error_px / unit_px)
    return expected.astype(np.float32)


def _swap(points: FloatArray, sight: Sight, noise: NoiseConfig, drawn: _Drawn) -> FloatArray:
    """Exchange left and right of legs and arms, below hip and shoulder."""
    swapped = points.copy()
    for i_limb, (left, right) in enumerate(_SWAPPED):
        apart_px = np.linalg.norm(points[:, left] - points[:, right], axis=-1).mean(axis=1)
        reach = apart_px / (noise.swap_reach_m * sight.px_per_m)
        now = drawn.swap[:, i_limb] < noise.swap_rate * np.exp(-(reach**2))
        rows = np.flatnonzero(now)[:, None]
        swapped[rows, left], swapped[rows, right] = points[rows, right], points[rows, left]
    return swapped


def _confidence(
    expected: FloatArray, made: FloatArray, sight: Sight, noise: NoiseConfig, drawn: _Drawn
) -> FloatArray:
    """(T, 17), from the expected error and the one made, both in COCO's spreads."""
    # A 2D error is on average 1.25 times its standard deviation on one axis.
    known = _EXPECTED_SHARE * expected + (1 - _EXPECTED_SHARE) * made / 1.25
    log_c = -noise.doubt * known - noise.occluded_doubt * sight.hidden
    log_c -= noise.outside_doubt * ~sight.inside
    confidence = np.exp(log_c) + noise.confidence_error * drawn.jitter[..., 3]
    confidence = np.where(drawn.lost, _LOST_CONFIDENCE * confidence, confidence)
    return np.asarray(np.maximum(confidence, 0.01), dtype=np.float32)


def _detected_box(
    points: FloatArray, unseen: BoolArray, sight: Sight, noise: NoiseConfig, drawn: _Drawn
) -> tuple[FloatArray, FloatArray]:
    """Box (T, 4) around the keypoints in the picture, its sides in error, and its score (T,)."""
    box = _box_around(points, sight.px_per_m, sight.picture_wh)
    sides = box[:, 2:] - box[:, :2]
    box = box + noise.box_error * np.tile(sides, 2) * drawn.box[:, :4]
    score = _BOX_SCORE - _HIDDEN_COST * unseen.mean(axis=1)
    score = np.clip(score + noise.confidence_error * drawn.box[:, 4], 0.3, 1.0)
    return _inside(box, sight.picture_wh), score.astype(np.float32)


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
