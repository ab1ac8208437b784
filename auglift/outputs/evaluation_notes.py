"""How a cell's numbers were made, in words: no number is worth anything without them."""

from __future__ import annotations

from collections.abc import Mapping

from auglift.geometry.benchmark import Benchmark
from auglift.geometry.conventions import COMMON, find_convention
from auglift.geometry.metrics import joints_chosen
from auglift.geometry.procrustes import Compat

COMPAT_NOTE = (
    "MMPose's numbers: poses at the true root, P-MPJPE fitted on masked joints too, N-MPJPE scaled "
    "about the camera, PCK and AUC over all joints; its headline is the mean over all frames"
)
USUAL_NOTE = "roots at the origin; alignments are fitted on the joints that are measured"
OFFSET_NOTE = (
    "“without offset”: each joint's mean offset from the truth, in axes that turn with the trunk "
    "and over this very test set, was taken out first: it shows what joint definitions cost, and "
    "is no result to report as such"
)


def notes_on(
    benchmark: Benchmark, joint_sets: Mapping[str, str], joints: str, compat: Compat | None
) -> tuple[str, ...]:
    """The conventions behind the numbers of one cell; `joint_sets` by protocol."""
    convention = find_convention(benchmark.dataset)
    notes = [_joints_note(benchmark, joint_sets), COMPAT_NOTE if compat else USUAL_NOTE]
    if joints == COMMON:
        notes.append(OFFSET_NOTE)
    notes += convention.notes
    n_actions = len(benchmark.groups["action"].names)
    if convention.actions not in (None, n_actions):
        notes.append(f"{n_actions} of the {convention.actions} actions are in this table")
    if benchmark.damaged:
        done = "were left out" if benchmark.skips_damaged else "count (--skip-damaged omits them)"
        notes.append(f"{benchmark.damaged:,} rows of damaged takes {done}: {convention.damage}")
    missed = len(benchmark.truth) - benchmark.detected
    notes.append(f"{missed:,} of {len(benchmark.truth):,} rows have no detection and are left out")
    notes.append(f"intervals: 95 %, bootstrap over {benchmark.takes} takes")
    return tuple(notes)


def _joints_note(benchmark: Benchmark, joint_sets: Mapping[str, str]) -> str:
    """`p1, p2: all 17 joints; pck: 14 joints (without pelvis, spine, neck_base)`."""
    skeleton = benchmark.truth.skeleton
    parts = []
    for name in dict.fromkeys(joint_sets.values()):
        protocols = ", ".join(p for p, joint_set in joint_sets.items() if joint_set == name)
        chosen = joints_chosen(name, skeleton)
        left_out = [
            joint for joint, is_in in zip(skeleton.joints, chosen, strict=True) if not is_in
        ]
        extent = f"{chosen.sum()} joints (without {', '.join(left_out)})"
        parts.append(f"{protocols}: {extent if left_out else f'all {chosen.sum()} joints'}")
    return "; ".join(parts)
