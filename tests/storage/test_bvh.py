"""BVH: hand-computed places, the two open rules of the format, round trips, broken files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from auglift.errors import BrokenFileError, DataError, MissingDataError
from auglift.storage.bvh import Bvh, positions, read_bvh, write_bvh

ARM = """HIERARCHY
ROOT Hips
{
\tOFFSET 0.0 0.0 0.0
\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
\tJOINT Arm
\t{
\t\tOFFSET 10 0 0
\t\tCHANNELS 3 Zrotation Xrotation Yrotation
\t\tEnd Site
\t\t{
\t\t\tOFFSET 0 5 0
\t\t}
\t}
}
MOTION
Frames: 2
Frame Time: 0.02
0 0 0 0 0 0 0 0 0
1 2 3 90 0 0 0 90 0
"""


@pytest.fixture
def arm(tmp_path: Path) -> Path:
    path = tmp_path / "arm.bvh"
    path.write_text(ARM)
    return path


def edited(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert text.count(old) == 1, "the edit must hit one place"
    path.write_text(text.replace(old, new))
    return path


def test_places_of_a_small_file_are_those_computed_by_hand(arm: Path) -> None:
    bvh = read_bvh(arm, unit_m=1.0)
    assert bvh.points == ("Hips", "Arm", "Arm_end")
    assert bvh.frame_time_s == 0.02
    rest = [[0, 0, 0], [10, 0, 0], [10, 5, 0]]
    # The hips turn a quarter about z: x points up, so the arm is 10 above them. The arm then turns
    # a quarter about its x, which carries its y (which points to −x) over into z: (0, 0, 5).
    moved = [[1, 2, 3], [1, 12, 3], [1, 12, 8]]
    np.testing.assert_allclose(positions(bvh), [rest, moved], atol=1e-12)
    np.testing.assert_allclose(positions(bvh, end_sites=False), [rest[:2], moved[:2]], atol=1e-12)


def test_units_scale_offsets_and_positions(arm: Path) -> None:
    np.testing.assert_allclose(
        positions(read_bvh(arm)), 0.01 * positions(read_bvh(arm, unit_m=1.0)), atol=1e-15
    )


def test_channels_multiply_from_left_to_right(arm: Path) -> None:
    edited(arm, "1 2 3 90 0 0 0 90 0", "0 0 0 20 30 40 0 0 0")

    def turn(axis: str, degrees: float) -> np.ndarray:
        return Rotation.from_rotvec(np.radians(degrees) * np.eye(3)["XYZ".index(axis)]).as_matrix()

    z_x_y = read_bvh(arm).rotations[1, 0]
    np.testing.assert_allclose(z_x_y, turn("Z", 20) @ turn("X", 30) @ turn("Y", 40), atol=1e-12)
    edited(
        arm, "Zposition Zrotation Xrotation Yrotation", "Zposition Yrotation Zrotation Xrotation"
    )
    y_z_x = read_bvh(arm).rotations[1, 0]
    np.testing.assert_allclose(y_z_x, turn("Y", 20) @ turn("Z", 30) @ turn("X", 40), atol=1e-12)


def test_channels_are_found_by_name_wherever_they_stand(arm: Path) -> None:
    by_name = "CHANNELS 6 ZROTATION Zposition Xrotation Xposition yrotation Yposition"
    edited(arm, "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation", by_name)
    edited(arm, "1 2 3 90 0 0 0 90 0", "90 3 0 1 0 2 0 90 0")
    np.testing.assert_allclose(positions(read_bvh(arm, 1.0))[1, 2], [1, 12, 8], atol=1e-12)


def test_a_root_with_rotations_only_stays_at_its_offset(arm: Path) -> None:
    edited(arm, "6 Xposition Yposition Zposition Zrotation", "3 Zrotation")
    edited(arm, "OFFSET 0.0 0.0 0.0", "OFFSET 7 8 9")
    edited(arm, "\n0 0 0 0 0 0 0 0 0\n1 2 3 90", "\n0 0 0 0 0 0\n90")
    np.testing.assert_allclose(
        positions(read_bvh(arm, 1.0), end_sites=False),
        [[[7, 8, 9], [17, 8, 9]], [[7, 8, 9], [7, 18, 9]]],
        atol=1e-12,
    )


def test_position_channels_replace_the_offset_of_root_and_joint(arm: Path) -> None:
    edited(arm, "OFFSET 0.0 0.0 0.0", "OFFSET 50 50 50")
    edited(arm, "CHANNELS 3", "CHANNELS 6 Xposition Yposition Zposition")
    edited(arm, "0 0 0 0 0 0 0 0 0\n1 2 3 90 0 0 0 90 0", "0 0 0 0 0 0 0 0 11 0 0 0\n" + 12 * "1 ")
    np.testing.assert_allclose(
        positions(read_bvh(arm, 1.0), end_sites=False)[0], [[0, 0, 0], [0, 0, 11]], atol=1e-12
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n", "\r\n"),
        ("\t", "    "),
        ("\n{", " {"),
        ("\n\t{\n\t\tOFFSET 10 0 0", " { OFFSET 1.0e+1 0 -0E0"),
        ("Frame Time: 0.02", "Frame Time:\t2e-2\n"),
        ("Frames: 2", "\n  Frames:\t2  "),
        ("End Site", "End site"),
        ("HIERARCHY", "\ufeffHIERARCHY"),
    ],
)
def test_layout_does_not_matter(arm: Path, old: str, new: str) -> None:
    wanted = positions(read_bvh(arm))
    assert old in ARM
    arm.write_bytes(ARM.replace(old, new).encode())
    np.testing.assert_array_equal(positions(read_bvh(arm)), wanted)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("1 2 3 90 0 0 0 90 0\n", "1 2 3 90 0 0 0 90\n", 20, "9 finite numbers, this is 8"),
        ("1 2 3 90 0 0 0 90 0\n", "1 2 3 90 0 0 0 90 0 4\n", 20, "this is 10"),
        ("1 2 3 90 0 0 0 90 0\n", "1 2 3 9o 0 0 0 90 0\n", 20, "something else"),
        ("1 2 3 90 0 0 0 90 0\n", "1 2 3 nan 0 0 0 90 0\n", 20, "something else"),
        ("1 2 3 90 0 0 0 90 0\n", "", 19, "2 frames are announced, but there are 1"),
        ("90 0\n", "90 0\n" + 9 * "0 " + "\n", 21, "2 frames are announced, but there are 3"),
        ("Frames: 2\n", "", 16, "'Frames: N'"),
        ("Frame Time: 0.02", "Frame Time: 0", 16, "'Frame Time: seconds'"),
        ("CHANNELS 3", "CHANNELS 4", 9, "count"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation", 9, "Xposition"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Xrotation", 9, "twice"),
        ("OFFSET 10 0 0", "OFFSET 10 0", 8, "three"),
        ("\t\tOFFSET 10 0 0\n", "", 13, "'Arm' has no OFFSET"),
        ("\t}\n}\n", "\t}\n", 15, "'Hips' is not closed"),
        ("\t}\n}\n", "\t}\n}\n}\n", 16, "none is open"),
        ("JOINT Arm\n\t{", "JOINT Arm\n", 8, "'{' expected"),
        ("\t}\n}\n", "\t}\n}\nROOT Other\n{\n}\n", 16, "a second ROOT, 'Other'"),
        ("JOINT Arm", "BONE Arm", 6, "'BONE' is not known"),
    ],
)
def test_a_broken_file_is_told_with_its_line(
    arm: Path, old: str, new: str, line: int, what: str
) -> None:
    edited(arm, old, new)
    with pytest.raises(BrokenFileError) as caught:
        read_bvh(arm)
    assert caught.value.what.startswith(f"line {line}: ")
    assert what in caught.value.what
    assert caught.value.where == str(arm)


@pytest.mark.parametrize("n_bytes", range(0, len(ARM) - 2, 7))
def test_a_truncated_file_is_never_taken_for_a_whole_one(arm: Path, n_bytes: int) -> None:
    arm.write_text(ARM[:n_bytes])
    with pytest.raises(BrokenFileError):
        read_bvh(arm)


def test_what_is_no_bvh_and_what_is_not_there(tmp_path: Path) -> None:
    picture = tmp_path / "picture.bvh"
    picture.write_bytes(bytes(range(256)))
    with pytest.raises(BrokenFileError, match="HIERARCHY"):
        read_bvh(picture)
    with pytest.raises(BrokenFileError):
        read_bvh(tmp_path)
    with pytest.raises(MissingDataError):
        read_bvh(tmp_path / "none.bvh")


def test_a_file_of_no_frames_has_no_places(arm: Path) -> None:
    arm.write_text(ARM[: ARM.index("0 0 0 0 0 0 0 0 0")].replace("Frames: 2", "Frames: 0"))
    bvh = read_bvh(arm)
    assert positions(bvh).shape == (0, 3, 3)
    write_bvh(arm, bvh)
    assert positions(read_bvh(arm)).shape == (0, 3, 3)


@st.composite
def motions(draw: st.DrawFn) -> Bvh:
    """A random tree, joints in any order that puts parents first, with random motion."""
    n_joints, n_frames = draw(st.integers(1, 7)), draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parents = [-1] + [draw(st.integers(0, i - 1)) for i in range(1, n_joints)]
    ends = draw(st.lists(st.integers(0, n_joints - 1), max_size=4))
    offsets_m = random.uniform(-1, 1, (n_joints, 3))
    positions_m = np.tile(offsets_m, (n_frames, 1, 1))
    channels = []
    for i in range(n_joints):
        axes = draw(st.permutations("XYZ"))
        moves = i == 0 or draw(st.booleans())
        if moves:
            positions_m[:, i] = random.uniform(-3, 3, (n_frames, 3))
        names = [f"{axis}position" for axis in axes if moves] + [f"{a}rotation" for a in axes]
        channels.append(tuple(draw(st.permutations(names))))
    return Bvh(
        joints=tuple(f"joint {i}" for i in range(n_joints)),
        parents=tuple(parents),
        offsets_m=offsets_m,
        end_parents=tuple(ends),
        end_offsets_m=random.uniform(-1, 1, (len(ends), 3)),
        channels=tuple(channels),
        rotations=Rotation.random(n_frames * n_joints, rng=random)
        .as_matrix()
        .reshape(n_frames, n_joints, 3, 3),
        positions_m=positions_m,
        frame_time_s=1 / draw(st.sampled_from([25, 29.97, 50, 120])),
    )


@settings(deadline=None, max_examples=50)
@given(bvh=motions(), unit_m=st.sampled_from([0.01, 1.0, 0.0254]))
def test_written_and_read_the_points_are_where_they_were(
    bvh: Bvh, unit_m: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("bvh") / "motion.bvh"
    write_bvh(path, bvh, unit_m)
    again = read_bvh(path, unit_m)
    assert again.frame_time_s == pytest.approx(bvh.frame_time_s, rel=1e-8)
    for name in bvh.joints:
        i, j = bvh.joints.index(name), again.joints.index(name)
        assert bvh.channels[i] == again.channels[j]
        np.testing.assert_allclose(
            positions(bvh)[:, i], positions(again)[:, j], atol=1e-5 * unit_m + 1e-6
        )
        ends = [
            np.sort(positions(b)[:, len(b.joints) :][:, np.array(b.end_parents) == k], axis=1)
            for b, k in ((bvh, i), (again, j))
        ]
        np.testing.assert_allclose(*ends, atol=1e-5)


def test_gimbal_lock_is_written_without_a_warning(arm: Path) -> None:
    bvh = read_bvh(arm)
    locked = Rotation.from_euler("ZXY", [[10, 90, 20], [10, -90, 20]], degrees=True).as_matrix()
    rotations = bvh.rotations.copy()
    rotations[:, 0] = locked
    write_bvh(arm, replace(bvh, rotations=rotations))
    np.testing.assert_allclose(read_bvh(arm).rotations[:, 0], locked, atol=1e-7)


def test_a_hinge_is_written_with_all_three_rotations(arm: Path) -> None:
    edited(arm, "CHANNELS 3 Zrotation Xrotation Yrotation", "CHANNELS 1 Xrotation")
    edited(arm, "\n0 0 0 0 0 0 0 0 0\n1 2 3 90 0 0 0 90 0", "\n0 0 0 0 0 0 0\n1 2 3 90 0 0 90")
    bvh = read_bvh(arm)
    write_bvh(arm, bvh)
    again = read_bvh(arm)
    assert again.channels[1] == ("Xrotation", "Yrotation", "Zrotation")
    np.testing.assert_allclose(positions(again), positions(bvh), atol=1e-7)


def test_motion_without_channels_is_not_lost_in_silence(arm: Path) -> None:
    bvh = read_bvh(arm)
    with pytest.raises(DataError, match="'Arm' moves"):
        write_bvh(arm, replace(bvh, channels=(bvh.channels[0], ())))
    shifted = bvh.positions_m.copy()
    shifted[:, 1] += 0.1
    with pytest.raises(DataError, match="'Arm' moves"):
        write_bvh(arm, replace(bvh, positions_m=shifted))
    assert arm.read_text() == ARM


def test_what_does_not_fit_together_is_not_a_bvh(arm: Path) -> None:
    bvh = read_bvh(arm)
    with pytest.raises(DataError, match="rotations"):
        replace(bvh, rotations=bvh.rotations[:, :1])
    with pytest.raises(DataError, match="parents"):
        replace(bvh, parents=(1, -1))
    with pytest.raises(DataError, match="name"):
        write_bvh(arm, replace(bvh, joints=("Hips", "{")))
