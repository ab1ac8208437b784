"""A camera that looks down aslant at people who walk and stoop: lean and feet are as they were.

People of the virtual world, their true poses, and keypoints through the tilted camera. Where they
stand, which way is up and where the ground is has to be found.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from auglift.detection.person_tracks import PersonTrack
from auglift.geometry.angles import joint_angles
from auglift.geometry.camera import Camera
from auglift.geometry.ground import ANKLE_HEIGHT_M, level_world
from auglift.geometry.skeleton import H36M_17
from auglift.lifting.people import SpaceOptions, place_people
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.outputs.angles_csv import write_angles
from auglift.outputs.feet import CONTACT_M, foot_measures
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.motions import make_motion

FPS = 10.0
WH = (1280, 960)
PITCH_DEG, ROLL_DEG = 22.0, 6.0
LENS = Camera(WH, np.array([1000.0, 1000.0]), np.array([639.5, 479.5]))
LEVEL = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
TO_CAMERA = Rotation.from_euler("zx", [ROLL_DEG, PITCH_DEG], degrees=True).as_matrix() @ LEVEL
CENTRE = np.array([0.0, -6.0, 3.2])


@pytest.fixture(scope="module")
def truth() -> list[np.ndarray]:
    """(T, 17, 3) m, Z up: one walks, the other stoops for something on the floor."""
    tracks = []
    for seed, (action, place) in enumerate([("walk", -0.5), ("pick_up", 1.0)]):
        rng = np.random.default_rng(seed)
        joints = make_motion(action, draw_body(rng), rng, 6.0, FPS).positions
        tracks.append(joints[:, STUDIO.indices(*H36M_17.joints)] + [place, 0.0, 0.0])
    return tracks


@pytest.fixture(scope="module")
def lifted(truth: list[np.ndarray]) -> LiftedPeople:
    """The people as `infer` places them, from true poses about their roots."""
    seen, poses = [], []
    for i, joints in enumerate(truth):
        camera_m = (joints - CENTRE) @ TO_CAMERA.T
        n_frames, n_joints = camera_m.shape[:2]
        frame = np.arange(n_frames)
        seen.append(
            PersonTrack(
                i, frame, frame / FPS, np.ones(n_frames, bool), LENS.project(camera_m),
                np.ones((n_frames, n_joints)), np.full((n_frames, n_joints, 6), np.nan),
                np.zeros((n_frames, n_joints), bool),
            )
        )  # fmt: skip
        poses.append(camera_m - camera_m[:, :1])
    spec = LifterSpec(arch="tcn", model={}, features=FeatureConfig(variant="xyc"))
    placed = place_people(seen, poses, LENS, spec, H36M_17, SpaceOptions(smoothing="none"))
    people = [
        LiftedPerson(
            person=track.person, frame=track.frame, time_s=track.time_s, detected=track.detected,
            pose_3d=one.pose_3d, joints_2d=track.joints_2d, confidence=track.joint_confidence,
            root_m=one.root_m,
        )
        for track, one in zip(seen, placed.people, strict=True)
    ]  # fmt: skip
    return LiftedPeople("tilted.mp4", H36M_17, WH, FPS, "truth", people, LENS, placed.world)


def lean_deg(poses: np.ndarray, up: np.ndarray) -> np.ndarray:
    return joint_angles(poses, H36M_17, up)["trunk_lean_forward"]


def test_the_tilt_is_found_and_said(lifted: LiftedPeople) -> None:
    off = np.degrees(np.arccos(lifted.world.up_camera @ TO_CAMERA @ [0, 0, 1]))
    assert off < 3.0
    assert f"tilted by {lifted.world.tilt_deg:.1f}°" in lifted.world.how


def test_a_stooping_person_leans_as_he_does(lifted: LiftedPeople, truth: list[np.ndarray]) -> None:
    true_deg = lean_deg(truth[1], np.array([0.0, 0.0, 1.0]))
    assert np.ptp(true_deg) > 40.0
    found_deg = lean_deg(lifted.people[1].pose_3d, lifted.world.up_camera)
    assert np.abs(found_deg - true_deg).mean() < 3.0
    naive_deg = lean_deg(lifted.people[1].pose_3d, level_world().up_camera)
    assert np.abs(naive_deg - true_deg).mean() > 7.0


def test_feet_are_on_the_ground_when_they_are(
    lifted: LiftedPeople, truth: list[np.ndarray]
) -> None:
    for person, joints in zip(lifted.people, truth, strict=True):
        found = foot_measures(person, lifted)
        for side in ("left", "right"):
            true_m = joints[:, H36M_17.index(f"{side}_ankle"), 2] - ANKLE_HEIGHT_M
            assert np.abs(found[f"{side}_foot_height_m"] - true_m).mean() < 0.04
            clear = np.abs(true_m - CONTACT_M) > 0.05
            contact = found[f"{side}_foot_contact"][clear] == 1.0
            assert (contact == (true_m < CONTACT_M)[clear]).mean() > 0.9
    walking = foot_measures(lifted.people[0], lifted)
    assert 0.0 < np.mean(walking["left_foot_contact"]) < 1.0


def test_the_table_has_them(lifted: LiftedPeople, tmp_path: Path) -> None:
    write_angles(tmp_path / "a.csv", lifted)
    with (tmp_path / "a.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = foot_measures(lifted.people[0], lifted)
    assert {row["left_foot_contact"] for row in rows} == {"0", "1"}
    assert float(rows[3]["right_foot_height_m"]) == pytest.approx(
        found["right_foot_height_m"][3], abs=1e-4
    )


def test_without_places_or_a_ground_feet_are_unknown(lifted: LiftedPeople) -> None:
    levelled = LiftedPeople("a", H36M_17, WH, FPS, "run", lifted.people, world=level_world())
    for measures in foot_measures(lifted.people[0], levelled).values():
        assert np.isnan(measures).all()
