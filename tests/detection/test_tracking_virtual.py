"""People of the virtual world who cross before a camera keep their numbers: switches are counted.

The truth says who is who; boxes and joints are those of the simulated detector, errors included.
Who is farther away is not detected while his box overlaps a nearer one's by half, as after
non-maximum suppression, which hides somebody for up to a second.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from auglift.detection.likeness import box_iou
from auglift.detection.tracking import track_people
from auglift.geometry.camera import Camera
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import COCO_17
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.detector_noise import Found, Sight, detect_with_errors
from auglift.studio.motions import make_motion
from auglift.studio.noise import NoiseConfig

ROOT, COCO = STUDIO.index("pelvis"), STUDIO.indices(*COCO_17.joints)
SECONDS = 5.0
WH = (1280, 720)
# The world's z is up; the camera looks along y from the height of a hand.
TO_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
CAMERA = Camera(
    WH,
    np.array([900.0, 900.0]),
    np.array([639.5, 359.5]),
    rotation=TO_CAMERA,
    translation=-TO_CAMERA @ np.array([0.0, 0.0, 1.2]),
)

Frames = list[tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Of each frame who is there (N,), boxes (N, 4) and joints (N, 17, 2)."""


def walker(rng: np.random.Generator, way: int, depth_m: float, fps: float) -> np.ndarray:
    """(T, 26, 3) m: somebody who walks to the right (1) or to the left (−1), past the middle."""
    steps = make_motion("walk", draw_body(rng), rng, SECONDS, fps).positions
    ahead = steps[-1, ROOT] - steps[0, ROOT]
    turn = (0.0 if way > 0 else np.pi) - np.arctan2(ahead[1], ahead[0])
    cos, sin = np.cos(turn), np.sin(turn)
    steps = steps @ np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]).T
    steps[..., :2] += [-3.0 * way + rng.uniform(-0.4, 0.4), depth_m] - steps[0, ROOT, :2]
    return steps


def detected(people: list[np.ndarray], fps: float, rng: np.random.Generator) -> list[Found]:
    """What a detector says of each, by himself; joints behind nearer people are guesses."""
    points = [CAMERA.project(one @ TO_CAMERA.T + CAMERA.translation) for one in people]
    depths = [one[:, ROOT, 1] for one in people]
    found = []
    for one, depth in zip(points, depths, strict=True):
        hidden = np.zeros((len(one), len(COCO)), bool)
        for other, other_depth in zip(points, depths, strict=True):
            inside = (one[:, COCO] >= other.min(1)[:, None]) & (
                one[:, COCO] <= other.max(1)[:, None]
            )
            hidden |= inside.all(axis=-1) & (other_depth < depth)[:, None]
        sight = Sight(one[:, COCO], hidden, CAMERA.focal_px[0] / depth, WH, fps)
        found.append(detect_with_errors(sight, NoiseConfig(), rng))
    return found


@cache
def crossing(seed: int, n_people: int, fps: float) -> Frames:
    """Every other one walks the other way, each 0.8 m behind the one before."""
    rng = np.random.default_rng(seed)
    people = [
        walker(rng, 1 - 2 * (i % 2), 5.0 + 0.8 * i + rng.uniform(-0.2, 0.2), fps)
        for i in range(n_people)
    ]
    found = detected(people, fps, rng)
    frames: Frames = []
    for t in range(len(people[0])):
        seen: list[int] = []
        for i in np.argsort([one[t, ROOT, 1] for one in people]).tolist():
            box = found[i].box_xyxy[t]
            if found[i].detected[t] and all(
                box_iou(box, found[k].box_xyxy[t]) <= 0.5 for k in seen
            ):
                seen.append(i)
        seen = rng.permutation(seen).astype(int).tolist()
        boxes = np.array([found[i].box_xyxy[t] for i in seen]).reshape(-1, 4)
        keypoints = np.array([found[i].keypoints_px[t] for i in seen]).reshape(-1, 17, 2)
        frames.append((np.array(seen, int), boxes, map_joints(keypoints, COCO_17.name)))
    return frames


def numbers_of(frames: Frames, fps: float, with_joints: bool = True) -> list[np.ndarray]:
    return track_people(
        range(len(frames)),
        [i / fps for i in range(len(frames))],
        [boxes for _, boxes, _ in frames],
        joints_2d=[joints for _, _, joints in frames] if with_joints else None,
    )


def switches(frames: Frames, numbers: list[np.ndarray]) -> int:
    """How often somebody's number changes."""
    last: dict[int, int] = {}
    count = 0
    for (truth, _, _), got in zip(frames, numbers, strict=True):
        for who, number in zip(truth.tolist(), got.tolist(), strict=True):
            count += last.get(who, number) != number
            last[who] = number
    return count


@pytest.mark.parametrize(
    ("n_people", "fps", "n_clips"),
    [(2, 25.0, 6), (2, 12.5, 6), (2, 60.0, 3), (3, 25.0, 6), (4, 25.0, 4)],
)
def test_people_who_cross_keep_their_numbers(n_people: int, fps: float, n_clips: int) -> None:
    """No switch at all, and nobody gets a second number after he was hidden."""
    for seed in range(n_clips):
        frames = crossing(seed, n_people, fps)
        numbers = numbers_of(frames, fps)
        assert switches(frames, numbers) == 0
        assert len({number for some in numbers for number in some.tolist()}) == n_people


def test_joints_are_what_tells_them_apart() -> None:
    """The count finds fault where there is one: boxes alone are not enough."""
    clips = [crossing(seed, 3, 25.0) for seed in range(6)]
    assert sum(switches(frames, numbers_of(frames, 25.0, False)) for frames in clips) > 2


def test_somebody_is_really_lost_while_they_cross() -> None:
    frames = crossing(0, 3, 25.0)
    seen = [[i for i, (truth, _, _) in enumerate(frames) if who in truth] for who in range(3)]
    assert max(np.diff(frames_of).max() for frames_of in seen) > 3


def test_the_order_in_which_people_are_detected_changes_nothing() -> None:
    frames = crossing(1, 3, 25.0)
    turned = [(truth[::-1], boxes[::-1], joints[::-1]) for truth, boxes, joints in frames]
    partners: dict[int, set[int]] = {}
    for one, other in zip(numbers_of(frames, 25.0), numbers_of(turned, 25.0), strict=True):
        for a, b in zip(one.tolist(), other[::-1].tolist(), strict=True):
            partners.setdefault(a, set()).add(b)
    assert all(len(some) == 1 for some in partners.values())
