"""Who does what before which camera: order, names, limits, and the same seed, the same shot."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from auglift.errors import DataError, UsageError
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.motions import make_motion
from auglift.studio.performances import Performance, Programme, perform, plan, stage

SUBJECTS = {"S1": "train", "S2": "test"}
SMALL = Programme(
    dataset="toy", scene="wide", seed=1, actions=("wave", "walk"), seconds=1.0, subjects=SUBJECTS,
    views=2,
)  # fmt: skip
JOINT_NAMES = (
    *("Pelvis", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "Spine", "Thorax"),
    *("NeckNose", "Head", "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist"),
)


def staged(programme: Programme, i_performance=0, i_shot=0):
    performance = plan(programme)[i_performance]
    return stage(
        programme, performance, performance.shots[i_shot], *perform(programme, performance)
    )


@pytest.fixture
def mocap_file(tmp_path):
    """Two subjects, three sequences of 30, 20 and 25 frames at 25 Hz."""
    rng = np.random.default_rng(0)
    poses = [make_motion("walk", draw_body(rng), rng, n / 25).positions for n in (30, 20, 25)]
    every = 1000 * np.concatenate(poses)
    path = tmp_path / "mocap.npz"
    np.savez(
        path,
        poses=every[:, :17].astype(np.float32),
        face5=every[:, 17:22].astype(np.float32),
        seq_start=np.array([0, 30, 50, 75]),
        fps=np.full(3, 25.0),
        subject=np.array(["A1", "A1", "B2"]),
        action=np.array(["walk/run", "walk/run", "walk"]),
        split=np.array(["train", "train", "test"]),
        joint_names=np.array(JOINT_NAMES),
    )
    return path


def test_performances_come_in_the_order_of_their_sequences():
    performances = plan(replace(SMALL, takes=11, mirror=True, bodies=2))
    assert len(performances) == 2 * 2 * 11 * 2 * 2
    names = [f"toy/{p.name}/wide_000" for p in performances]
    assert all(a < b for a, b in pairwise(names))
    assert {"S1-1/walk 0", "S2-2/wave 10 mirrored"} <= {p.name for p in performances}
    assert {p.subject: p.clip.split for p in performances} == {
        "S1-1": "train", "S1-2": "train", "S2-1": "test", "S2-2": "test",
    }  # fmt: skip


def test_rows_are_counted_and_limited():
    assert [p.n_rows for p in plan(SMALL)] == [50] * 4
    assert [p.n_rows for p in plan(replace(SMALL, every=2))] == [26] * 4
    assert [p.n_rows for p in plan(replace(SMALL, sequence_rows=10))] == [20] * 4
    some = plan(replace(SMALL, rows=60))
    assert sum(p.n_rows for p in some) == 60
    assert sorted(shot.n_rows for p in some for shot in p.shots) == [10, 25, 25]
    assert some == plan(replace(SMALL, rows=60))
    assert some != plan(replace(SMALL, rows=60, seed=2))


def test_a_shot_has_the_rows_that_were_planned():
    for programme in (SMALL, replace(SMALL, every=3), replace(SMALL, sequence_rows=7)):
        performance = plan(programme)[0]
        shot = staged(programme)
        assert len(shot.cameras) == performance.shots[0].n_rows
        assert len(shot.scene.people[0].joints) == performance.shots[0].n_rows


def test_every_third_frame_is_the_first_the_fourth_and_so_on():
    every, third = staged(SMALL), staged(replace(SMALL, every=3))
    # Same draws, same stretch of the motion: 25 frames are 9 rows, the last of them frame 24.
    joints = every.scene.people[0].joints
    np.testing.assert_array_equal(third.scene.people[0].joints, joints[::3])
    assert replace(SMALL, every=3).rate_hz == pytest.approx(25 / 3)


def test_a_shot_depends_on_the_seed_and_its_name_alone():
    one, again = (
        staged(SMALL, 1, 1),
        staged(replace(SMALL, subjects={**SUBJECTS, "S0": "train"}), 3, 1),
    )
    assert one.sequence == again.sequence == "toy/S1/wave 0/wide_001"
    np.testing.assert_array_equal(one.scene.people[0].joints, again.scene.people[0].joints)
    np.testing.assert_array_equal(one.cameras[5].rotation, again.cameras[5].rotation)
    np.testing.assert_array_equal(one.scene.surroundings.room, again.scene.surroundings.room)
    assert one.rng.random() == again.rng.random()
    other_view, other_seed = staged(SMALL, 1, 0), staged(replace(SMALL, seed=2), 1, 1)
    for other in (other_view, other_seed):
        assert not np.allclose(one.cameras[5].rotation, other.cameras[5].rotation)
    np.testing.assert_array_equal(one.scene.people[0].joints, other_view.scene.people[0].joints)


def test_one_subject_has_one_body_and_another_has_another():
    performances = plan(SMALL)
    bodies = {p.name: perform(SMALL, p)[0].stature_m for p in performances}
    assert bodies["S1/walk 0"] == bodies["S1/wave 0"] != bodies["S2/wave 0"]


def test_a_mirrored_performance_is_the_mirror_image():
    programme = replace(SMALL, mirror=True, actions=("kick",))
    plain, mirrored = (perform(programme, p)[1].positions for p in plan(programme)[:2][::-1])
    np.testing.assert_allclose(mirrored, plain[:, list(STUDIO.partners)] * [-1, 1, 1], atol=1e-12)


def test_the_lab_films_people_while_they_are_on_its_stage():
    programme = replace(SMALL, scene="lab", actions=("walk",), seconds=4.0, views=1)
    shot = staged(programme)
    n_frames = len(shot.cameras)
    assert 0 < n_frames < plan(programme)[0].shots[0].n_rows
    assert all(camera is shot.cameras[0] for camera in shot.cameras)
    pixels = shot.cameras[0].project_world(shot.scene.people[0].joints)
    assert pixels.min() >= 0
    assert pixels.max() <= 999
    assert programme.rate_hz == 50


def test_too_short_a_stretch_on_the_stage_is_no_shot():
    programme = replace(SMALL, scene="lab", actions=("wave",), seconds=0.3)
    assert staged(programme) is None


def test_somebody_else_stands_about_but_in_nobodys_way():
    programme = replace(SMALL, strangers=1.0, views=6)
    performance = plan(programme)[0]
    cast = perform(programme, performance)
    shots = [stage(programme, performance, shot, *cast) for shot in performance.shots]
    crowded = [shot for shot in shots if len(shot.scene.people) == 2]
    assert len(crowded) >= 4
    root = STUDIO.index("pelvis")
    for shot in crowded:
        person, other = shot.scene.people
        apart = np.linalg.norm((person.joints - other.joints)[:, root, :2], axis=-1)
        eyes = np.array([camera.centre[:2] for camera in shot.cameras])
        assert apart.min() >= 1.0
        assert np.linalg.norm(eyes - other.joints[root, :2], axis=-1).min() >= 1.0
        assert other.joints.shape == (26, 3)
    assert all(len(staged(SMALL, i, j).scene.people) == 1 for i in range(2) for j in range(2))


def test_motion_files_bring_their_subjects_splits_and_numbers(mocap_file):
    programme = replace(SMALL, motion=(mocap_file,), views=1, subjects={})
    performances = plan(programme)
    assert [(p.name, p.clip.split, p.n_rows) for p in performances] == [
        ("A1/walk-run 0", "train", 30),
        ("A1/walk-run 1", "train", 20),
        ("B2/walk 0", "test", 25),
    ]
    assert performances[0].clip.action == "walk/run"


def test_motions_of_files_are_retargeted_unless_asked_otherwise(mocap_file):
    programme = replace(SMALL, motion=(mocap_file,), views=1)
    own = replace(programme, retarget=False)
    performance = plan(programme)[0]
    body, motion = perform(programme, performance)
    leg = STUDIO.indices("left_knee", "left_ankle")
    length_m = np.linalg.norm(np.diff(motion.positions[:, leg], axis=1), axis=-1)
    np.testing.assert_allclose(length_m, body.length_m("left_ankle"), rtol=1e-9)
    kept = perform(own, performance)[1].positions
    np.testing.assert_array_equal(kept, performance.clip.motion.positions)


def test_motions_of_files_take_the_scenes_rate(mocap_file):
    programme = replace(SMALL, scene="street", motion=(mocap_file,), views=1)
    performance = plan(programme)[0]
    shot = staged(programme)
    assert programme.rate_hz == 30
    assert len(shot.cameras) == performance.n_rows == 35  # 29 steps of 1/25 s


def test_what_cannot_be_performed_is_refused(tmp_path):
    with pytest.raises(UsageError, match="unknown action 'fly'"):
        plan(replace(SMALL, actions=("fly",)))
    with pytest.raises(DataError, match="not a motion file"):
        plan(replace(SMALL, motion=(tmp_path / "walk.fbx",)))
    with pytest.raises(UsageError, match="unknown scene 'moon'"):
        plan(replace(SMALL, scene="moon"))


def test_a_bvh_is_one_subject_of_its_own(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    motion = make_motion("wave", draw_body(rng), rng, 1.0)
    asked = {}

    def read(path, **options):
        asked.update(options, path=path)
        return replace(motion, name=path.stem)

    monkeypatch.setattr("auglift.studio.performances.read_bvh_motion", read)
    path = tmp_path / "dance.bvh"
    (performance,) = plan(replace(SMALL, motion=(path,), bvh_unit_m=1.0, bvh_up="z", views=1))
    assert isinstance(performance, Performance)
    assert (performance.name, performance.clip.split) == ("dance/motion 0", "train")
    assert asked == {"path": path, "unit_m": 1.0, "up": "z"}
