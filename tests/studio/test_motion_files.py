"""Motion files: what was written is read, what is missing is estimated, what is bad is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from auglift.errors import (
    AugliftError,
    BrokenFileError,
    MissingDataError,
    SchemaError,
    UsageError,
)
from auglift.geometry.skeleton import H36M_17
from auglift.storage.bvh import Bvh, write_bvh
from auglift.studio.bodies import FACE, FEET, SIDES, STUDIO, draw_body
from auglift.studio.estimates import estimate_face, estimate_feet
from auglift.studio.motion_files import read_bvh_motion, read_mocap
from auglift.studio.motions import Motion, make_motion, retarget

JOINT_NAMES = (
    *("Pelvis", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "Spine", "Thorax"),
    *("NeckNose", "Head", "LShoulder", "LElbow", "LWrist", "RShoulder", "RElbow", "RWrist"),
)


def procedural(action: str, seed: int = 0) -> Motion:
    rng = np.random.default_rng(seed)
    return make_motion(action, draw_body(rng), rng, seconds=2.0)


def mocap_arrays(*motions: Motion) -> dict[str, Any]:
    """Motions as the arrays of a motion-capture npz."""
    positions = np.concatenate([motion.positions for motion in motions]) * 1000
    return {
        "poses": positions[:, : H36M_17.n_joints].astype(np.float32),
        "face5": positions[:, STUDIO.indices(*FACE)].astype(np.float32),
        "seq_start": np.cumsum([0, *(motion.n_frames for motion in motions)]),
        "fps": np.array([motion.fps for motion in motions], np.float32),
        "subject": np.array([f"S{i}" for i in range(len(motions))]),
        "action": np.array([motion.name for motion in motions]),
        "split": np.array(["train", "test"][: len(motions)]),
        "joint_names": np.array(JOINT_NAMES),
    }


def saved(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


def test_mocap_gives_back_what_was_written(tmp_path: Path) -> None:
    written = [procedural("walk"), procedural("squat")]
    read = list(read_mocap(saved(tmp_path / "two.npz", mocap_arrays(*written))))
    assert [motion.name for motion in read] == ["walk", "squat"]
    assert [motion.subject for motion in read] == ["S0", "S1"]
    assert [motion.split for motion in read] == ["train", "test"]
    given = slice(0, STUDIO.index("left_heel"))
    for motion, original in zip(read, written, strict=True):
        assert motion.fps == 25.0
        assert motion.positions.dtype == np.float64
        np.testing.assert_allclose(
            motion.positions[:, given], original.positions[:, given], atol=1e-6
        )


@pytest.mark.parametrize("action", ["walk", "squat", "sit", "run", "kick"])
def test_estimated_feet_are_near_the_true_ones(action: str) -> None:
    for seed in (0, 1):
        motion = procedural(action, seed)
        feet = estimate_feet(motion.positions[:, : H36M_17.n_joints])
        away_m = np.linalg.norm(feet - motion.positions[:, STUDIO.indices(*FEET)], axis=-1)
        assert np.median(away_m) < 0.04
        assert np.quantile(away_m, 0.9) < 0.13
        assert feet[..., 2].min() > 0.0


def test_estimated_feet_point_where_the_person_faces() -> None:
    motion = procedural("squat")
    left_heel, right_heel, left_toe, right_toe = np.moveaxis(
        estimate_feet(motion.positions[:, : H36M_17.n_joints]), 1, 0
    )
    nose = motion.positions[:, STUDIO.index("nose")] - motion.positions[:, STUDIO.index("left_ear")]
    nose -= 0.5 * (
        motion.positions[:, STUDIO.index("right_ear")]
        - motion.positions[:, STUDIO.index("left_ear")]
    )
    assert (np.sum((left_toe - left_heel) * nose, axis=-1) > 0).all()
    assert (np.sum((right_toe - right_heel) * nose, axis=-1) > 0).all()
    left_of = (
        motion.positions[:, STUDIO.index("left_hip")]
        - motion.positions[:, STUDIO.index("right_hip")]
    )
    assert (np.sum((left_heel - right_heel) * left_of, axis=-1) > 0).all()


def test_estimated_face_is_near_the_true_one_when_the_head_follows_the_chest() -> None:
    motion = procedural("squat")
    face = estimate_face(motion.positions[:, : H36M_17.n_joints])
    away_m = np.linalg.norm(face - motion.positions[:, STUDIO.indices(*FACE)], axis=-1)
    assert np.median(away_m) < 0.03
    assert away_m.max() < 0.08


def test_read_motion_can_be_retargeted(tmp_path: Path) -> None:
    (motion,) = read_mocap(saved(tmp_path / "one.npz", mocap_arrays(procedural("walk"))))
    body = draw_body(np.random.default_rng(5))
    moved = retarget(motion, body)
    parents, children = np.array(STUDIO.bones).T
    lengths = np.linalg.norm(moved.positions[:, children] - moved.positions[:, parents], axis=-1)
    np.testing.assert_allclose(lengths, np.tile(body.bone_lengths_m[children], (50, 1)), atol=1e-9)


# --- BVH

# The skeleton of the CMU conversions, as far as it is used: name, parent, our joint.
CMU = (
    ("Hips", "", "pelvis"),
    *(
        (f"{side}{name}", parent if parent == "Hips" else f"{side}{parent}", f"{our}_{joint}")
        for side, our in (("Left", "left"), ("Right", "right"))
        for name, parent, joint in (
            ("UpLeg", "Hips", "hip"),
            ("Leg", "UpLeg", "knee"),
            ("Foot", "Leg", "ankle"),
            ("ToeBase", "Foot", "toe"),
        )
    ),
    ("Spine1", "Hips", "spine"),
    ("Neck", "Spine1", "thorax"),
    ("Head", "Neck", "neck_base"),
    *(
        (f"{side}{name}", parent if parent == "Neck" else f"{side}{parent}", f"{our}_{joint}")
        for side, our in (("Left", "left"), ("Right", "right"))
        for name, parent, joint in (
            ("Arm", "Neck", "shoulder"),
            ("ForeArm", "Arm", "elbow"),
            ("Hand", "ForeArm", "wrist"),
        )
    ),
)


def written_bvh(
    path: Path, motion: Motion, prefix: str = "", up: str = "y", unit_m: float = 0.01
) -> Path:
    """A motion as a BVH that moves its joints by position channels, with a root above the hips."""
    names = [name for name, _, _ in CMU]
    parents = [names.index(parent) if parent else -1 for _, parent, _ in CMU]
    places = motion.positions[:, STUDIO.indices(*(joint for _, _, joint in CMU))].copy()
    places[:, 0, 2] += 0.1
    head = (
        motion.positions[:, STUDIO.index("head")] - motion.positions[:, STUDIO.index("neck_base")]
    )
    if up == "y":
        places, head = (
            np.stack([p[..., 0], p[..., 2], -p[..., 1]], axis=-1) for p in (places, head)
        )
    local = places - np.where(np.array(parents)[:, None] < 0, 0.0, places[:, parents])
    turns = np.tile(np.eye(3), (len(places), len(names), 1, 1))
    i_head = names.index("Head")
    rest = np.array([0.0, 0.0, np.linalg.norm(head[0])])
    for i_frame, line in enumerate(head):
        turns[i_frame, i_head] = Rotation.align_vectors(line[None], rest[None])[0].as_matrix()
    moves = ("Xposition", "Yposition", "Zposition", "Zrotation", "Xrotation", "Yrotation")
    bvh = Bvh(
        joints=tuple(prefix + name for name in names),
        parents=tuple(parents),
        offsets_m=local[0],
        end_parents=(i_head,),
        end_offsets_m=rest[None],
        channels=(moves,) * len(names),
        rotations=turns,
        positions_m=local,
        frame_time_s=1 / motion.fps,
    )
    write_bvh(path, bvh, unit_m)
    return path


@pytest.mark.parametrize(
    ("prefix", "up", "unit_m"),
    [("", "y", 0.01), ("mixamorig:", "y", 0.01), ("", "z", 1.0), ("Character1:", "y", 0.0254)],
)
def test_bvh_gives_back_the_motion(tmp_path: Path, prefix: str, up: str, unit_m: float) -> None:
    motion = procedural("walk")
    path = written_bvh(tmp_path / "stroll.bvh", motion, prefix, up, unit_m)
    read = read_bvh_motion(path, unit_m=unit_m, up=up)
    assert read.name == "stroll"
    assert read.fps == pytest.approx(25.0)
    n_h36m = H36M_17.n_joints
    lifted = read.positions - motion.positions
    # The ground is estimated: the same shift for all, along z.
    np.testing.assert_allclose(lifted[:, :n_h36m, :2], 0, atol=1e-5)
    np.testing.assert_allclose(lifted[:, :n_h36m, 2], lifted[0, 0, 2], atol=1e-5)
    assert abs(lifted[0, 0, 2]) < 0.03
    # Toes are in the file, heels are not.
    toes = STUDIO.indices("left_toe", "right_toe")
    np.testing.assert_allclose(lifted[:, toes, 2], lifted[0, 0, 2], atol=1e-5)
    heels = STUDIO.indices("left_heel", "right_heel")
    assert np.median(np.linalg.norm(lifted[:, heels], axis=-1)) < 0.05


def test_bvh_points_can_be_named_by_hand(tmp_path: Path) -> None:
    motion = procedural("squat")
    path = written_bvh(tmp_path / "a.bvh", motion)
    read = read_bvh_motion(path, {"pelvis": "Hips", "left_toe": "LeftFoot"})
    higher = read.positions[:, STUDIO.index("pelvis")] - motion.positions[:, STUDIO.index("pelvis")]
    knees = STUDIO.index("left_knee")
    shift = read.positions[:, knees] - motion.positions[:, knees]
    np.testing.assert_allclose(higher - shift, np.tile([0, 0, 0.1], (50, 1)), atol=1e-5)
    np.testing.assert_array_equal(
        read.positions[:, STUDIO.index("left_toe")], read.positions[:, STUDIO.index("left_ankle")]
    )


def test_bvh_with_unknown_names_says_what_is_missing(tmp_path: Path) -> None:
    path = written_bvh(tmp_path / "a.bvh", procedural("wave"))
    path.write_text(path.read_text().replace("LeftForeArm", "Ellbogen"))
    with pytest.raises(SchemaError, match="left_elbow") as caught:
        read_bvh_motion(path)
    assert "Ellbogen" in str(caught.value)
    assert read_bvh_motion(path, {"left_elbow": "Ellbogen"}).n_frames == 50


def test_bvh_without_frames_is_broken(tmp_path: Path) -> None:
    path = written_bvh(tmp_path / "a.bvh", procedural("wave"))
    head, _, _ = path.read_text().partition("Frames:")
    path.write_text(f"{head}Frames: 0\nFrame Time: 0.04\n")
    with pytest.raises(BrokenFileError, match="without frames"):
        read_bvh_motion(path)


def test_bvh_wishes_that_cannot_be_met(tmp_path: Path) -> None:
    path = written_bvh(tmp_path / "a.bvh", procedural("wave"))
    with pytest.raises(UsageError, match="LeftHand"):
        read_bvh_motion(path, {"left_wrist": "LeftHnd"})
    with pytest.raises(UsageError, match="left_wrist"):
        read_bvh_motion(path, {"left_wrst": "LeftHand"})
    with pytest.raises(UsageError, match="vertical axis"):
        read_bvh_motion(path, up="x")
    with pytest.raises(SchemaError, match="not human"):
        read_bvh_motion(path, unit_m=1.0)


# --- bad files


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="nowhere"):
        read_mocap(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_npz_is_broken(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError, match="cannot be read"):
        read_mocap(path)


def test_a_truncated_npz_is_broken(tmp_path: Path) -> None:
    path = saved(tmp_path / "whole.npz", mocap_arrays(procedural("walk")))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BrokenFileError, match="cannot be read"):
        read_mocap(path)


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(SchemaError, match="one array"):
        read_mocap(tmp_path / "one.npy")


def test_pickled_content_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "it ran"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (marker,)

    arrays = mocap_arrays(procedural("walk"))
    arrays["subject"] = np.array([Trap()], dtype=object)
    with pytest.raises(BrokenFileError, match="without Python objects"):
        read_mocap(saved(tmp_path / "trap.npz", arrays))
    assert not marker.exists()


@pytest.mark.parametrize("key", ["poses", "face5", "seq_start", "fps", "joint_names", "split"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    arrays = mocap_arrays(procedural("walk"))
    del arrays[key]
    with pytest.raises(SchemaError, match=f"no {key}"):
        read_mocap(saved(tmp_path / "less.npz", arrays))


@pytest.mark.parametrize(
    ("key", "value", "error", "says"),
    [
        ("poses", np.zeros((50, 16, 3), np.float32), SchemaError, "poses"),
        ("poses", np.float32(0), SchemaError, "poses"),
        ("poses", np.full((50, 17, 3), "a"), SchemaError, "numbers"),
        ("face5", np.zeros((49, 5, 3), np.float32), SchemaError, "face5"),
        ("fps", np.zeros(1, np.float32), BrokenFileError, "above 0"),
        ("fps", np.array([25.0, 25.0]), SchemaError, "fps"),
        ("fps", np.array([np.inf]), BrokenFileError, "finite"),
        ("seq_start", np.array([0, 49]), SchemaError, "seq_start"),
        ("seq_start", np.array([1, 50]), SchemaError, "seq_start"),
        ("seq_start", np.array([0.0, 50.0]), SchemaError, "numbers"),
        ("seq_start", np.zeros(0, int), SchemaError, "seq_start"),
        ("joint_names", np.array(JOINT_NAMES[::-1]), SchemaError, "joint_names"),
    ],
)
def test_wrong_content_is_refused(
    tmp_path: Path, key: str, value: Any, error: type[AugliftError], says: str
) -> None:
    arrays = mocap_arrays(procedural("walk")) | {key: value}
    with pytest.raises(error, match=says):
        read_mocap(saved(tmp_path / "wrong.npz", arrays))


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    arrays = mocap_arrays(procedural("walk"))
    arrays["poses"][3, 4, 1] = np.nan
    with pytest.raises(BrokenFileError, match="poses"):
        read_mocap(saved(tmp_path / "nan.npz", arrays))


# --- real motion capture, where it is there


@pytest.mark.parametrize("name", ["cmu_h36m17.npz", "uiprmd_h36m17.npz"])
def test_real_mocap_becomes_a_person_on_the_ground(shared: Path, name: str) -> None:
    path = shared / "mocap" / name
    if not path.is_file():
        pytest.skip(f"no mocap/{name} in the shared folder")
    body = draw_body(np.random.default_rng(0))
    for _, motion in zip(range(3), read_mocap(path), strict=False):
        assert motion.fps == 25.0
        assert motion.split in ("train", "test")
        assert motion.name
        height = np.ptp(motion.positions[..., 2], axis=1).max()
        assert 1.3 < height < 2.5
        moved = retarget(motion, body)
        assert moved.positions[:, STUDIO.indices(*FEET), 2].min() == pytest.approx(body.sole_m)
        for side in SIDES:
            foot = moved.positions[:, STUDIO.indices(f"{side}_heel", f"{side}_toe")]
            assert np.linalg.norm(foot[:, 1] - foot[:, 0], axis=-1).max() < 0.35
