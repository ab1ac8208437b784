"""Which joints, actions and takes count on which data set."""

from __future__ import annotations

import pytest

from auglift.errors import UsageError
from auglift.geometry.conventions import (
    check_joint_choice,
    find_convention,
    is_damaged,
    joint_set_of,
    take_of,
)
from auglift.geometry.skeleton import H36M_17, WHOLEBODY_133


@pytest.mark.parametrize(
    ("protocol", "dataset", "choice", "expected"),
    [
        ("p1", "h36m", "dataset", "all"),
        ("pck", "h36m", "dataset", "14"),
        ("p1", "3dhp", "dataset", "all"),
        ("auc", "3dhp", "dataset", "14"),
        ("p2", "3dpw", "dataset", "14"),
        ("p2", "my-own", "dataset", "all"),
        ("p1", "3dpw", "17", "17"),
        ("pck", "h36m", "all", "all"),
        ("p1", "h36m", "common", "14"),
    ],
)
def test_joints_of_a_protocol(protocol, dataset, choice, expected):
    assert joint_set_of(protocol, dataset, choice, H36M_17) == expected


def test_mmpose_takes_all_joints_unless_told():
    assert joint_set_of("pck", "3dhp", "dataset", H36M_17, "mmpose") == "all"
    assert joint_set_of("pck", "3dhp", "14", H36M_17, "mmpose") == "14"


def test_a_skeleton_without_head_and_neck_is_measured_whole():
    assert joint_set_of("pck", "h36m", "dataset", WHOLEBODY_133) == "all"


def test_unknown_choices_list_the_known_ones():
    check_joint_choice("common")
    with pytest.raises(UsageError, match="common"):
        check_joint_choice("13")


def test_damaged_takes_are_three_of_s9():
    damaged = [
        f"h36m/{subject}/{take}/54138969"
        for subject in ("S9", "S11")
        for take in ("Greeting", "Greeting 1", "SittingDown", "SittingDown 1", "Waiting 1")
        if is_damaged("h36m", f"h36m/{subject}/{take}/54138969")
    ]
    assert damaged == [
        f"h36m/S9/{take}/54138969" for take in ("Greeting", "SittingDown 1", "Waiting 1")
    ]
    assert not is_damaged("3dhp", "3dhp/S9/Greeting/0")
    assert not is_damaged("h36m", "h36m/S9")


def test_cameras_of_a_take_are_one_take():
    assert take_of("h36m/S9/Walking 1/54138969", "54138969") == "h36m/S9/Walking 1"
    assert take_of("3dpw/downtown_bus_00", "phone") == "3dpw/downtown_bus_00"


def test_s1_spells_its_actions_otherwise():
    assert find_convention("h36m").spellings["TakingPhoto"] == "Photo"
    assert find_convention("nobody's").spellings == {}
