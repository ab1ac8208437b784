"""Somebody of the virtual world who is not seen for a while: who he is then, and where he was."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.detection.clip import detections_of_keypoints, keypoint_clip
from auglift.detection.person_tracks import PersonTrack, person_tracks
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import H36M_17
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.motions import make_motion

FPS = 25.0
N_FRAMES = 75
FIRST_UNSEEN = 30
WH = (1280, 720)
CAMERA = Camera(WH, np.array([900.0, 900.0]), np.array([639.5, 359.5]))
# The world's z is up; the camera looks along y from the height of a hand, 5 m away.
TO_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
CENTRE = np.array([0.0, -5.0, 1.2])


def joints_px(action: str, seed: int) -> np.ndarray:
    """(T, 17, 2) the true joints in the picture."""
    rng = np.random.default_rng(seed)
    joints = make_motion(action, draw_body(rng), rng, N_FRAMES / FPS, FPS).positions
    joints = joints[:, STUDIO.indices(*H36M_17.joints)] - joints[:, :1].mean(axis=0) * (1, 1, 0)
    return CAMERA.project((joints - CENTRE) @ TO_CAMERA.T)


def tracks_without(joints: np.ndarray, unseen: range) -> list[PersonTrack]:
    """The tracks of somebody who is not detected in these frames."""
    frame = np.array([i for i in range(N_FRAMES) if i not in unseen])
    seen = joints[frame]
    boxes = np.concatenate([seen.min(axis=1) - 10, seen.max(axis=1) + 10], axis=1)
    people = detections_of_keypoints(
        seen, np.full(seen.shape[:2], 0.9), boxes, np.ones(len(frame)), H36M_17.name, H36M_17.name
    )
    clip = keypoint_clip(np.arange(N_FRAMES), frame, people, WH, FPS)
    return person_tracks(clip, max_gap_s=0.5, memory_s=2.0)


@pytest.mark.parametrize("action", ["walk", "run", "squat", "pick_up"])
@pytest.mark.parametrize("n_unseen", [3, 10])
def test_a_short_gap_is_bridged_near_the_truth(action: str, n_unseen: int) -> None:
    """Up to 0.4 s; the joints on the average within a tenth of the person's height."""
    for seed in range(3):
        joints = joints_px(action, seed)
        unseen = range(FIRST_UNSEEN, FIRST_UNSEEN + n_unseen)
        (track,) = tracks_without(joints, unseen)
        assert np.flatnonzero(~track.detected).tolist() == list(unseen)
        assert np.isfinite(track.joints_2d).all()
        height_px = np.ptp(joints[..., 1], axis=1).mean()
        error = np.linalg.norm(track.joints_2d - joints, axis=-1)[unseen] / height_px
        assert error.mean() < (0.02 if n_unseen == 3 else 0.1)


@pytest.mark.parametrize("action", ["walk", "squat"])
def test_a_longer_one_stays_empty_and_he_is_who_he_was(action: str) -> None:
    for seed in range(3):
        unseen = range(FIRST_UNSEEN, FIRST_UNSEEN + 20)
        (track,) = tracks_without(joints_px(action, seed), unseen)
        assert len(track) == N_FRAMES
        is_empty = np.isnan(track.joints_2d).all(axis=(1, 2))
        assert np.flatnonzero(is_empty).tolist() == list(unseen)
