"""The built-in table, `metadata.xml`, and what the literature says of both."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from auglift.datasets.h36m import list_sequences, read_sequence
from auglift.datasets.h36m_cameras import BUILT_IN, CAMERA_NAMES, rotation_of_quaternion
from auglift.datasets.h36m_metadata import (
    BUILT_IN_METADATA,
    SHORT_TAKES,
    SPLITS,
    action_of,
    canonical_take,
    read_metadata,
)
from auglift.datasets.options import DatasetOptions
from auglift.errors import BrokenFileError


def test_the_built_in_cameras_are_the_published_ones(whole):
    assert len(BUILT_IN) == 28
    for (subject, camera), mounting in BUILT_IN.items():
        assert mounting.rotation == pytest.approx(whole.rotation(subject, camera), abs=1e-12)
        assert mounting.centre_m * 1000 == pytest.approx(whole.centre_mm(subject, camera))
        assert mounting.intrinsics.tolist() == whole.numbers["lenses"][camera]
        # They stand around the actor at the height of a head, upright, and look inwards.
        assert 3.5 < np.hypot(*mounting.centre_m[:2]) < 6
        assert 1.4 < mounting.centre_m[2] < 1.7
        assert mounting.rotation[1, 2] < -0.9
        assert -mounting.rotation[2, :2] @ mounting.centre_m[:2] > 3


def test_quaternions_need_not_have_the_length_one():
    quaternion = np.array([0.3, -0.2, 0.9, 0.1])
    wanted = Rotation.from_quat(quaternion, scalar_first=True).as_matrix()
    assert rotation_of_quaternion(quaternion) == pytest.approx(wanted, abs=1e-15)


def test_metadata_xml_holds_the_same_cameras_as_euler_angles(copy):
    """The fixture's angles are scipy's: Rx(a) Ry(b) Rz(c) of the published quaternions."""
    metadata = read_metadata(copy.write_metadata())
    assert len(metadata.mountings) == 44
    for key, built_in in BUILT_IN.items():
        read = metadata.mountings[key]
        assert read.rotation == pytest.approx(built_in.rotation, abs=1e-11)
        assert read.centre_m == pytest.approx(built_in.centre_m, abs=1e-12)
        assert (read.intrinsics == built_in.intrinsics).all()


def test_metadata_xml_holds_takes_lengths_and_sizes(copy):
    copy.lengths = {("S1", "TakingPhoto 1"): 1074, ("S9", "Waiting 1"): 1612}
    metadata = read_metadata(copy.write_metadata())
    assert metadata.n_frames["S1", "Photo 1"] == 1074
    assert metadata.n_frames["S9", "Waiting 1"] == 1612
    assert metadata.takes["S1", 12, 1] == metadata.takes["S9", 12, 1] == "Photo 1"
    assert not any("ALL" in take for take in metadata.takes.values())
    assert len(metadata.takes) == 11 * 30
    for key, size in BUILT_IN_METADATA.sizes.items():
        assert metadata.sizes[key] == size


def test_metadata_xml_counts_wherever_it_lies(copy):
    copy.add("S9", "Directions", kinds=["D3_Positions"], surplus=None)
    path = copy.write_metadata("code/Release-v1.2")
    x_mm = copy.centre_mm("S9", "54138969")[0]
    path.write_text(path.read_text().replace(repr(float(x_mm)), "9999.0"))
    listed = next(s for s in list_sequences(copy.root, DatasetOptions()) if "54138969" in s.name)
    camera = read_sequence(copy.root, listed, 1, DatasetOptions()).cameras[0]
    assert camera.centre[0] == pytest.approx(9.999)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("<w0>[", "<w0>[1 "),
        lambda text: text.replace("mapping", "maps"),
        lambda text: text.replace("frames", "lengths"),
        lambda text: text.replace("[1002 1000;", "["),
        lambda text: "",
    ],
    ids=["cut", "one number more", "no takes", "no lengths", "three sizes", "empty"],
)
def test_a_broken_metadata_xml_is_named(copy, change):
    path = copy.write_metadata()
    path.write_text(change(path.read_text()))
    with pytest.raises(BrokenFileError, match=r"not Human3\.6M's metadata") as caught:
        read_metadata(path)
    assert caught.value.where == str(path)


def test_the_table_has_the_totals_that_the_literature_reports():
    frames = {subject: 0 for subject in SPLITS}
    fifth = {"train": 0, "test": 0}
    for (subject, _), n in BUILT_IN_METADATA.n_frames.items():
        frames[subject] += 4 * n
        fifth[SPLITS[subject]] += 4 * len(range(0, n, 5))
    assert frames == {
        "S1": 248_376, "S5": 396_316, "S6": 249_864, "S7": 406_484, "S8": 258_712,
        "S9": 317_668, "S11": 232_976,
    }  # fmt: skip
    assert fifth == {"train": 312_188, "test": 110_232}
    assert len(BUILT_IN_METADATA.takes) == len(BUILT_IN_METADATA.n_frames) == 7 * 30
    assert {action_of(take) for take in BUILT_IN_METADATA.takes.values()} == {
        "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases",
        "Sitting", "SittingDown", "Smoking", "Photo", "Waiting", "Walking", "WalkDog",
        "WalkTogether",
    }  # fmt: skip


def test_s9s_short_takes_have_the_lengths_of_s8s():
    n_frames = BUILT_IN_METADATA.n_frames
    takes = BUILT_IN_METADATA.takes
    numbers = {take: key[1:] for key, take in takes.items() if key[0] == "S9"}
    for subject, take in SHORT_TAKES:
        assert n_frames[subject, take] == n_frames["S8", takes["S8", *numbers[take]]]


@pytest.mark.parametrize(
    ("written", "take"),
    [
        ("TakingPhoto 1", "Photo 1"), ("TakingPhoto", "Photo"), ("WalkingDog_1", "WalkDog 1"),
        ("WalkTogether 2", "WalkTogether 2"), ("Directions", "Directions"),
        ("SittingDown_1", "SittingDown 1"),
    ],
)  # fmt: skip
def test_takes_have_one_spelling(written, take):
    assert canonical_take(written) == take
    assert canonical_take(take) == take


def test_cameras_stand_in_the_order_of_the_table():
    assert tuple(dict.fromkeys(camera for _, camera in BUILT_IN)) == CAMERA_NAMES
