"""What is filmed is the plan's and nothing else's: the same plan, the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from auglift.errors import UsageError
from auglift.studio import capture
from auglift.studio.bodies import STUDIO
from auglift.studio.capture import (
    NEAREST_M,
    CapturePlan,
    Take,
    capture_take,
    is_captured,
    plan_takes,
    stage_take,
    subjects_by_split,
    write_dataset_file,
)
from auglift.studio.rigs import LAB_CAMERAS, STAGE_M

RATE_HZ = 25.0
PELVIS = STUDIO.index("pelvis")


def plan(scene="street", **changes):
    usual = CapturePlan(
        scene=scene,
        subjects={"S1": "train", "S2": "test"},
        actions=("walk", "wave"),
        seconds=3 / RATE_HZ,
        rate_hz=RATE_HZ,
        size=0.06,
    )
    return replace(usual, **changes)


def a_take(subject="S1", action="walk"):
    return Take(subject=subject, action=action, split="train", number=0)


def all_bytes(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_subject_does_every_action_once():
    takes = plan_takes(plan())
    assert [take.name for take in takes] == ["S1/walk_0", "S1/wave_0", "S2/walk_0", "S2/wave_0"]
    assert [take.split for take in takes] == ["train", "train", "test", "test"]


def test_subjects_by_split():
    assert subjects_by_split(2, 1) == {"S1": "train", "S2": "train", "S3": "test"}
    assert subjects_by_split(0, 2, first=5) == {"S5": "test", "S6": "test"}


@pytest.mark.parametrize("scene", ["lab", "street"])
def test_the_same_plan_gives_the_same_bytes(tmp_path, scene):
    for name in ("one", "other"):
        write_dataset_file(tmp_path / name, plan(scene))
        capture_take(tmp_path / name, plan(scene), a_take())
    one, other = all_bytes(tmp_path / "one"), all_bytes(tmp_path / "other")
    cameras = LAB_CAMERAS if scene == "lab" else ("phone",)
    in_take = {"take.json", "truth.npz", *(f"{camera}.mkv" for camera in cameras)}
    assert one.keys() == {"dataset.json", *(f"S1/walk_0/{name}" for name in in_take)}
    assert one == other


def test_a_take_does_not_depend_on_the_other_takes():
    alone = stage_take(plan(actions=("wave",), subjects={"S2": "test"}), a_take("S2", "wave"))
    among_others = stage_take(plan(), a_take("S2", "wave"))
    assert (alone.joints == among_others.joints).all()
    assert (alone.cameras["phone"][1].rotation == among_others.cameras["phone"][1].rotation).all()


def test_the_seed_the_subject_and_the_action_make_a_difference():
    usual = stage_take(plan(), a_take()).joints
    for other in (
        stage_take(plan(seed=1), a_take()),
        stage_take(plan(), a_take("S2")),
        stage_take(plan(), a_take(action="wave")),
    ):
        assert np.abs(other.joints - usual).max() > 0.05


def test_a_subject_has_one_body_in_all_takes():
    def thigh_m(take):
        joints = stage_take(plan(), take).joints[0, 0]
        bone = joints[STUDIO.index("left_knee")] - joints[STUDIO.index("left_hip")]
        return np.linalg.norm(bone)

    assert thigh_m(a_take(action="wave")) == pytest.approx(thigh_m(a_take(action="walk")))
    assert thigh_m(a_take("S2")) != pytest.approx(thigh_m(a_take("S1")), abs=1e-4)


def test_who_walks_off_the_lab_stage_is_filmed_while_on_it():
    walk = stage_take(plan("lab", seconds=4.0), a_take())
    frames = walk.joints.shape[1]
    assert 25 < frames < 100
    flat = walk.joints[..., :2].reshape(-1, 2)
    middle = 0.5 * (flat.min(axis=0) + flat.max(axis=0))
    assert np.linalg.norm(flat - middle, axis=-1).max() <= STAGE_M
    assert set(walk.cameras) == set(LAB_CAMERAS)
    for track in walk.cameras.values():
        assert len(track) == frames
        pixels = track[0].project_world(walk.joints)
        assert ((pixels >= 0) & (pixels <= np.array(track[0].image_wh) - 1)).all()


def test_the_street_follows_who_walks():
    walk = stage_take(plan(seconds=4.0), a_take())
    assert walk.joints.shape[1] == 100
    roots = walk.joints[0, :, PELVIS]
    assert np.linalg.norm(roots[-1] - roots[0]) > 3.0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("people", [2, 4])
def test_people_do_not_walk_through_each_other(seed, people):
    several = plan("street", people=people, seconds=4.0, seed=seed, actions=("walk", "run"))
    roots = stage_take(several, a_take()).joints[:, :, PELVIS, :2]
    first, second = np.triu_indices(people, k=1)
    distance_m = np.linalg.norm(roots[first] - roots[second], axis=-1)
    assert distance_m.min() >= NEAREST_M
    # Near enough to be in one picture.
    assert distance_m.min(axis=1).max() < 5.0


def test_placing_people_leaves_their_motion_alone():
    def heights_and_bones(joints):
        bones = joints - joints[:, :, list(STUDIO.parents)]
        bones[:, :, PELVIS] = 0
        return joints[..., 2], np.linalg.norm(bones, axis=-1)

    rng = np.random.default_rng(0)
    joints = stage_take(plan(seconds=1.0), a_take()).joints
    both = np.concatenate([joints, joints])
    placed = capture._set_apart(both, rng)
    for before, after in zip(heights_and_bones(both), heights_and_bones(placed), strict=True):
        assert np.allclose(before, after, atol=1e-12)
    steps_m, placed_steps_m = (
        np.linalg.norm(np.diff(p[:, :, PELVIS], axis=1), axis=-1) for p in (both, placed)
    )
    assert np.allclose(steps_m, placed_steps_m, atol=1e-12)


def test_two_people_are_filmed_together(tmp_path):
    two = plan("lab", people=2)
    assert capture_take(tmp_path, two, a_take()) == 3 * len(LAB_CAMERAS)
    with np.load(tmp_path / "S1/walk_0/truth.npz") as truth:
        assert truth["joints"].shape == (2, 3, STUDIO.n_joints, 3)
        assert (truth["joints"] == stage_take(two, a_take()).joints).all()
    assert json.loads((tmp_path / "S1/walk_0/take.json").read_text())["people"] == 2


def test_five_people_are_too_many_for_the_palette():
    with pytest.raises(UsageError, match="5 people"):
        stage_take(plan(people=5), a_take())


def test_an_unknown_action_lists_the_known_ones():
    with pytest.raises(UsageError, match="unknown action 'moonwalk'"):
        stage_take(plan(actions=("moonwalk",)), a_take(action="moonwalk"))


def test_a_take_is_there_only_when_its_last_file_is(tmp_path, monkeypatch):
    whole = plan("lab", size=0.03)
    capture_take(tmp_path / "whole", whole, a_take())

    class Killed(BaseException):
        """As Ctrl-C: nothing catches it."""

    filmed = []

    def killed_in_the_third_video(scene, camera, seed):
        filmed.append(camera)
        if len(filmed) == 8:
            raise Killed
        return render(scene, camera, seed)

    render = capture.render
    folder = tmp_path / "interrupted"
    monkeypatch.setattr(capture, "render", killed_in_the_third_video)
    with pytest.raises(Killed):
        capture_take(folder, whole, a_take())
    assert not is_captured(folder, a_take())
    assert len(list((folder / "S1/walk_0").iterdir())) == 2  # the two finished videos
    monkeypatch.setattr(capture, "render", render)
    capture_take(folder, whole, a_take())
    assert is_captured(folder, a_take())
    assert all_bytes(folder) == all_bytes(tmp_path / "whole")


def test_filming_again_undoes_the_old_take_first(tmp_path, monkeypatch):
    capture_take(tmp_path, plan(), a_take())

    def fails(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(capture, "render", fails)
    with pytest.raises(OSError, match="no space left"):
        capture_take(tmp_path, plan(seed=1), a_take())
    assert not is_captured(tmp_path, a_take())


def test_the_dataset_file_says_the_whole_plan(tmp_path):
    write_dataset_file(tmp_path, plan(seed=7))
    about = json.loads((tmp_path / "dataset.json").read_text())
    assert (about.pop("format"), about.pop("version")) == (capture.FORMAT, capture.VERSION)
    about["actions"] = tuple(about["actions"])
    assert CapturePlan(**about) == plan(seed=7)
