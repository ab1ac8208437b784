"""BVH files give the poses back through a forward kinematics that is written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.geometry.body_size import bone_lengths
from auglift.geometry.retarget_rotations import rest_directions
from auglift.geometry.skeleton import H36M_17, SKELETONS, Skeleton
from auglift.outputs.bvh_motion import motion_to_bvh, write_bvhs
from auglift.outputs.motion import Motion
from auglift.storage.bvh import write_bvh

GOLDEN = Path(__file__).parents[1] / "golden"


def axis_turn(axis: str, degrees: float) -> np.ndarray:
    a, b = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    turn = np.eye(3)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[a, a] = turn[b, b] = cos
    turn[a, b], turn[b, a] = -sin, sin
    return turn


def read_bvh(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], float]:
    """Places (T, 3) by joint, rest places (3,) by joint, and the frame time."""
    words = path.read_text().split()
    motion = words.index("MOTION")
    assert words[motion + 1] == "Frames:"
    assert words[motion + 3 : motion + 5] == ["Frame", "Time:"]
    n_frames, frame_time_s = int(words[motion + 2]), float(words[motion + 5])
    values = np.array(words[motion + 6 :], float).reshape(n_frames, -1)
    places: dict[str, np.ndarray] = {}
    rest: dict[str, np.ndarray] = {}
    open_joints: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    used, i, name = 0, 1, ""
    while i < motion:
        if words[i] in ("ROOT", "JOINT"):
            name, i = words[i + 1], i + 2
        elif words[i] == "End":
            name, i = f"{name}_end", i + 2
        elif words[i] == "OFFSET":
            offset = np.array(words[i + 1 : i + 4], float)
            above, at, at_rest = open_joints[-1] if open_joints else (np.eye(3), 0.0, np.zeros(3))
            place = np.broadcast_to(at + above @ offset, (n_frames, 3))
            turn = np.broadcast_to(above, (n_frames, 3, 3))
            rest[name], i = at_rest + offset, i + 4
            if words[i] == "CHANNELS":
                channels, i = words[i + 2 : i + 2 + int(words[i + 1])], i + 2 + int(words[i + 1])
                if channels[0].endswith("position"):
                    assert channels[:3] == ["Xposition", "Yposition", "Zposition"]
                    place = values[:, used : used + 3]
                for k, channel in enumerate(channels):
                    if channel.endswith("rotation"):
                        angles = values[:, used + k]
                        turn = turn @ np.stack([axis_turn(channel[0], a) for a in angles])
                used += len(channels)
            places[name] = place
            open_joints.append((turn, place, rest[name]))
        elif words[i] == "}":
            open_joints.pop()
            i += 1
        else:
            assert words[i] == "{", words[i]
            i += 1
    assert not open_joints
    assert used == values.shape[1]
    return places, rest, frame_time_s


def constant_bones(poses: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The poses with every bone at its length in the first frame."""
    lengths = bone_lengths(poses, skeleton)[0]
    out = np.empty_like(poses)
    order = [skeleton.parents.index(-1)]
    out[:, order[0]] = poses[:, order[0]]
    for joint in order:
        for child in (i for i, p in enumerate(skeleton.parents) if p == joint):
            bone = poses[:, child] - poses[:, joint]
            bone /= np.linalg.norm(bone, axis=-1, keepdims=True)
            out[:, child] = out[:, joint] + lengths[child] * bone
            order.append(child)
    return out


def stacked(places: dict[str, np.ndarray], skeleton: Skeleton = H36M_17) -> np.ndarray:
    return np.stack([places[joint] for joint in skeleton.joints], axis=1)


def through_a_file(folder: Path, positions: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    path = folder / "a.bvh"
    write_bvh(path, motion_to_bvh(Motion(0, skeleton, 0.0, 25.0, positions)), unit_m=1.0)
    return stacked(read_bvh(path)[0], skeleton)


def test_the_file_moves_as_the_golden_one(tmp_path, walk, lifted):
    (path,) = write_bvhs(tmp_path / "walk.bvh", lifted(walk))
    found, golden = read_bvh(path), read_bvh(GOLDEN / "walk.bvh")
    for ours, theirs in zip(found[:2], golden[:2], strict=True):
        assert list(ours) == list(theirs)
        for joint in ours:
            np.testing.assert_allclose(ours[joint], theirs[joint], atol=1e-5)
    ours, theirs = (p.read_text().split("MOTION")[0] for p in (path, GOLDEN / "walk.bvh"))
    assert ours == theirs


def test_a_walk_comes_back_y_up_in_metres_at_its_rate(tmp_path, walk, lifted):
    walk = constant_bones(walk, H36M_17)
    (path,) = write_bvhs(tmp_path / "a.bvh", lifted(walk))
    places, _, frame_time_s = read_bvh(path)
    assert frame_time_s == pytest.approx(0.1)
    np.testing.assert_allclose(stacked(places), walk * (1, -1, -1), atol=1e-5)


def test_changing_bones_get_their_median_length_and_keep_their_directions(tmp_path, walk):
    stretched = walk * (1, -1, -1) * np.linspace(0.9, 1.1, 6)[:, None, None]
    found = through_a_file(tmp_path, stretched, H36M_17)
    lengths = bone_lengths(found, H36M_17)
    expected = np.median(bone_lengths(stretched, H36M_17), axis=0)
    np.testing.assert_allclose(lengths, np.tile(expected, (6, 1)), atol=1e-5)
    for parent, child in H36M_17.bones:
        ours, theirs = (p[:, child] - p[:, parent] for p in (found, stretched))
        cosine = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1)
        np.testing.assert_allclose(cosine, np.linalg.norm(theirs, axis=1), rtol=1e-6)


def test_at_rest_the_figure_stands_in_a_t_pose_with_true_bones(tmp_path, walk, lifted):
    (path,) = write_bvhs(tmp_path / "a.bvh", lifted(walk))
    _, rest, _ = read_bvh(path)
    lengths = np.median(bone_lengths(walk, H36M_17), axis=0)
    at = stacked({joint: place[None] for joint, place in rest.items()})[0]
    np.testing.assert_allclose(bone_lengths(at, H36M_17), lengths, atol=1e-5)
    by_name = dict(zip(H36M_17.joints, at, strict=True))
    assert by_name["left_wrist"][0] > 0.5 > -0.5 > by_name["right_wrist"][0]
    assert by_name["left_wrist"][1] == pytest.approx(by_name["left_shoulder"][1], abs=1e-6)
    assert by_name["left_ankle"][1] < by_name["left_knee"][1] < by_name["pelvis"][1]
    assert by_name["head"][1] > by_name["thorax"][1]
    assert all(np.linalg.norm(rest[j] - rest[j[:-4]]) > 0.01 for j in rest if j.endswith("_end"))


def test_gaps_are_straight_lines_and_are_said(tmp_path, walk, lifted, caplog):
    walk = constant_bones(walk, H36M_17)
    holed = walk.copy()
    holed[2:4] = np.nan
    (path,) = write_bvhs(tmp_path / "a.bvh", lifted(holed))
    places = stacked(read_bvh(path)[0])
    assert "2 frames without a pose" in caplog.text
    np.testing.assert_allclose(places[[0, 1, 4, 5]], walk[[0, 1, 4, 5]] * (1, -1, -1), atol=2e-3)
    middle = walk[1] + (walk[4] - walk[1]) / 3
    np.testing.assert_allclose(places[2, 0], middle[0] * (1, -1, -1), atol=1e-5)


def random_poses(seed: int, skeleton: Skeleton, n_frames: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    bones = rng.normal(size=(n_frames, skeleton.n_joints, 3))
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    return grown(bones * rng.uniform(0.05, 0.5, (skeleton.n_joints, 1)), skeleton)


def grown(bones: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Poses (T, J, 3) from the bone that ends in each joint."""
    poses = np.array(bones)
    order = [skeleton.parents.index(-1)]
    for joint in order:
        children = [i for i, p in enumerate(skeleton.parents) if p == joint]
        poses[:, children] += poses[:, [joint]]
        order += children
    return poses


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(set(SKELETONS) - {"wholebody_133"})))
@settings(deadline=None, max_examples=40)
def test_any_pose_of_constant_bones_comes_back(tmp_path_factory, seed, name):
    poses = random_poses(seed, SKELETONS[name])
    found = through_a_file(tmp_path_factory.mktemp("bvh"), poses, SKELETONS[name])
    np.testing.assert_allclose(found, poses, atol=1e-5)


def test_whole_body_comes_back(tmp_path):
    poses = random_poses(0, SKELETONS["wholebody_133"], n_frames=2)
    np.testing.assert_allclose(
        through_a_file(tmp_path, poses, SKELETONS["wholebody_133"]), poses, atol=1e-4
    )


AXES = [sign * np.eye(3)[i] for i in range(3) for sign in (1.0, -1.0)]


@given(st.lists(st.sampled_from(AXES), min_size=17, max_size=17))
@settings(deadline=None, max_examples=50)
def test_straight_limbs_and_half_turns_come_back(tmp_path_factory, axes):
    """Bones along the axes: many are straight on, at right angles, or opposite to their rest."""
    poses = grown(0.3 * np.array([axes, axes[::-1]]), H36M_17)
    found = through_a_file(tmp_path_factory.mktemp("bvh"), poses, H36M_17)
    np.testing.assert_allclose(found, poses, atol=1e-5)


def test_every_bone_against_its_rest_direction_comes_back(tmp_path):
    """All turned by 180° at once; and by nearly so."""
    opposite = -0.3 * rest_directions(H36M_17)
    nearly = opposite + np.random.default_rng(0).normal(0, 1e-7, opposite.shape)
    poses = grown(np.stack([opposite, nearly]), H36M_17)
    np.testing.assert_allclose(through_a_file(tmp_path, poses, H36M_17), poses, atol=1e-5)


def test_joints_in_one_place_make_no_nan(tmp_path, walk):
    standing = np.tile(walk[:1] * (1, -1, -1), (3, 1, 1))
    standing[:, H36M_17.index("left_wrist")] = standing[:, H36M_17.index("left_elbow")]
    np.testing.assert_allclose(through_a_file(tmp_path, standing, H36M_17), standing, atol=1e-5)
    nowhere = np.zeros((2, H36M_17.n_joints, 3))
    np.testing.assert_array_equal(through_a_file(tmp_path, nowhere, H36M_17), nowhere)
