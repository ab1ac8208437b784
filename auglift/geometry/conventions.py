"""How each data set is scored in the literature, so that numbers can be compared with it.

`CONVENTIONS` holds what differs between data sets; any other is scored over all its joints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from auglift.errors import unknown_name
from auglift.geometry.metrics import JOINT_SETS, PROTOCOLS, joints_14
from auglift.geometry.procrustes import Compat
from auglift.geometry.skeleton import Skeleton

OWN, COMMON = "dataset", "common"
JOINT_CHOICES = (OWN, COMMON, *JOINT_SETS)
"""What `--joints` knows: the data set's convention, the joints that all data sets share, a set."""


@dataclass(frozen=True)
class Convention:
    """What is customary on one data set."""

    joint_set: str | None = None
    """The joints of every protocol; by default each protocol's own."""
    actions: int | None = None
    """How many actions the mean over actions is over."""
    spellings: Mapping[str, str] = field(default_factory=dict)
    """Other names of the same actions."""
    damaged: frozenset[tuple[str, str]] = frozenset()
    """Subject and take of sequences whose truth is known to be wrong."""
    damage: str = ""
    """What is wrong with them."""
    notes: tuple[str, ...] = ()
    """For the reader of the numbers."""


CONVENTIONS: dict[str, Convention] = {
    "h36m": Convention(
        actions=15,
        # S1's files are named unlike the others'.
        spellings={
            "TakingPhoto": "Photo", "WalkingDog": "WalkDog", "WalkingTogether": "WalkTogether",
        },
        # Learnable Triangulation masks them, MotionBERT and its heirs skip them; most do neither.
        damaged=frozenset({("S9", "Greeting"), ("S9", "SittingDown 1"), ("S9", "Waiting 1")}),
        damage="their truth lies about 200 mm beside the pictures",
        notes=(
            "papers report the mean over the 15 actions; MMPose the mean over all frames",
        ),
    ),
    "3dhp": Convention(
        notes=(
            "as in the data set's own script: PCK (strictly below 150 mm) and AUC (31 thresholds "
            "from 0 to 150 mm) over 14 joints, MPJPE over 17, all valid frames alike",
        ),
    ),
    "3dpw": Convention(
        joint_set="14",
        notes=(
            "14 joints (LSP's), as is customary; SMPL's joints lie elsewhere than Human3.6M's: "
            "--joints common takes the constant part of that out",
        ),
    ),
    "fit3d": Convention(
        notes=(
            "the official test truth is not public; the published AugLift numbers are on "
            "subjects s10 and s11 over 17 joints",
        ),
    ),
}  # fmt: skip

_UNKNOWN = Convention()


def find_convention(dataset: str) -> Convention:
    """The data set's convention; of an unknown one, nothing is customary."""
    return CONVENTIONS.get(dataset, _UNKNOWN)


def check_joint_choice(choice: str) -> None:
    """Raise unless `choice` is one of `JOINT_CHOICES`."""
    if choice not in JOINT_CHOICES:
        raise unknown_name("joint set", choice, JOINT_CHOICES)


def joint_set_of(
    protocol: str, dataset: str, choice: str, skeleton: Skeleton, compat: Compat | None = None
) -> str:
    """The set of `JOINT_SETS` that a protocol is measured over.

    A skeleton without head or neck, such as COCO's, is measured over all its joints where the
    convention asks for 14.
    """
    if choice == COMMON:
        return "14"
    if choice != OWN:
        return choice
    if compat is not None:
        return "all"
    wanted = find_convention(dataset).joint_set or PROTOCOLS[protocol].joint_set
    missing = wanted == "14" and not set(joints_14(skeleton)) <= set(skeleton.joints)
    return "all" if missing else wanted


def is_damaged(dataset: str, sequence: str) -> bool:
    """Whether a sequence such as `h36m/S9/Waiting 1/54138969` is known to be wrong."""
    parts = sequence.split("/")
    return len(parts) > 2 and (parts[1], parts[2]) in find_convention(dataset).damaged


def take_of(sequence: str, camera: str) -> str:
    """The take that a sequence shows: all cameras of one take film the same motion."""
    return sequence.removesuffix(f"/{camera}")
