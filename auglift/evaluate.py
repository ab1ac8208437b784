"""Stage 5, `auglift evaluate`: a lifter on a table → errors in millimetres.

In: a run (or checkpoint) and the xycd table of one split. Out: an `EvaluateResult` with each
protocol's number over all joints and frames, as the mean over actions, per action and per joint.

Rows without a detection are counted and left out: a lifter cannot lift what was not seen.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auglift.config import StageConfig, setting
from auglift.errors import DataError, UsageError, unknown_name
from auglift.executors import Progress, silent
from auglift.lifting.spec import DepthControl
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    import numpy.typing as npt

    from auglift.lifting.lifter import Lifter
    from auglift.storage.tables import Table

COLUMNS = [
    "action", "image_wh", "pose_3d", "visible", "detected", "joints_2d", "joint_confidence",
    "depth_m", "depth_valid", "time_s",
]  # fmt: skip

# How a protocol's SI unit is printed: the field counts in millimetres.
PRINTED_UNITS = {"m": ("mm", 1000.0), "%": ("%", 1.0), "m/s": ("mm/s", 1000.0)}
PRINTED_UNITS["m/s²"] = ("mm/s²", 1000.0)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(StageConfig):
    """Which lifter, which data, which numbers."""

    dataset: str | None = setting(None)
    """Dataset to test on; may be left out where only one has a table of the split."""

    split: str = setting("test")
    """train, val or test."""

    checkpoint: str | None = setting(None)
    """A run's name or folder, or a .safetensors file; default: the newest run."""

    protocol: tuple[str, ...] = setting(("p1", "p2", "p3"))
    """p1, p2, p3, pck, auc, mpjve, accel, or all."""

    flip_test: bool = setting(False)
    """Average with the mirrored input's mirrored answer."""

    depth: DepthControl = setting("measured")
    """A control experiment: `true`, `shuffled` or `constant` depth instead of the measured."""

    def __post_init__(self) -> None:
        if not self.protocol:
            raise UsageError("no protocol to evaluate", hint="--protocol p1")


@dataclass(frozen=True)
class ProtocolResult:
    """One protocol's numbers, in `unit`."""

    protocol: str
    unit: str
    overall: float
    """Over all frames and joints together (micro-average)."""
    action_mean: float
    """Mean of the actions' numbers, as papers on Human3.6M report."""
    per_action: dict[str, float]
    per_joint: dict[str, float]


@dataclass(frozen=True)
class EvaluateResult:
    """What was measured, on what."""

    checkpoint: Path
    dataset: str
    split: str
    rows: int
    detected: int
    lifter: str
    results: tuple[ProtocolResult, ...]


def evaluate(config: EvaluateConfig, progress: Progress = silent) -> EvaluateResult:
    """Measure a lifter's errors."""
    from auglift.lifting.checkpoint import find_checkpoint
    from auglift.lifting.devices import pick_device
    from auglift.lifting.lifter import Lifter
    from auglift.storage.tables import read_table

    protocols = chosen_protocols(config.protocol)
    workspace = Workspace(config.root)
    checkpoint = find_checkpoint(workspace, config.checkpoint)
    choice = workspace.find_dataset("xycd", config.dataset, config.split)
    logger.info("dataset %s: %s", choice.dataset, choice.why)
    lifter = Lifter.open(checkpoint, pick_device(config.device))
    table = read_table(
        workspace.xycd(choice.dataset, config.split), "xycd", COLUMNS, lifter.spec.skeleton
    )
    poses = lift_table(lifter, table, config)
    with progress(f"evaluate {choice.dataset}", len(protocols), "protocols") as advance:
        results = []
        for protocol in protocols:
            results.append(_measure(protocol, poses, table, lifter))
            advance(note=protocol)
    return EvaluateResult(
        checkpoint=checkpoint,
        dataset=choice.dataset,
        split=config.split,
        rows=len(table),
        detected=int(table["detected"].sum()),
        lifter=f"{lifter.spec.arch}, {lifter.spec.features.variant}",
        results=tuple(results),
    )


def chosen_protocols(names: tuple[str, ...]) -> tuple[str, ...]:
    """The protocols by name; `all` is every one."""
    from auglift.geometry.metrics import PROTOCOLS

    if "all" in names:
        return tuple(PROTOCOLS)
    for name in names:
        if name not in PROTOCOLS:
            raise unknown_name("protocol", name, [*PROTOCOLS, "all"])
    return tuple(dict.fromkeys(names))


def lift_table(lifter: Lifter, table: Table, config: EvaluateConfig) -> npt.NDArray[Any]:
    """Poses (N, J, 3); NaN where nothing was detected."""
    import numpy as np

    from auglift.lifting.data import load_pose_data

    columns = {name: table[name] for name in COLUMNS if name not in ("action", "time_s")}
    data = load_pose_data(
        columns, table.track_start, table.track_fps, lifter.device, depth=config.depth
    )
    poses = lifter.lift(data, flip_test=config.flip_test)
    poses[~table["detected"]] = np.nan
    if not table["detected"].any():
        raise DataError("nobody was detected in any row", hint="look at auglift merge's summary")
    return poses


def _measure(
    protocol: str, poses: npt.NDArray[Any], table: Table, lifter: Lifter
) -> ProtocolResult:
    import numpy as np

    from auglift.geometry.metrics import PROTOCOLS, per_joint

    rule = PROTOCOLS[protocol]
    unit, factor = PRINTED_UNITS[rule.unit]
    errors, actions = _errors(protocol, poses, table, lifter)
    per_action = {
        action: factor * rule.summarise(errors[actions == action])
        for action in sorted(set(actions.tolist()))
    }
    joints = factor * per_joint(errors, rule.summarise)
    return ProtocolResult(
        protocol=protocol,
        unit=unit,
        overall=factor * rule.summarise(errors),
        action_mean=float(np.nanmean(list(per_action.values()))),
        per_action=per_action,
        per_joint=dict(zip(lifter.skeleton.joints, joints.tolist(), strict=True)),
    )


def _errors(
    protocol: str, poses: npt.NDArray[Any], table: Table, lifter: Lifter
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Errors (M, J) and the action of each row; those of motion are taken within tracks."""
    import numpy as np

    from auglift.geometry.metrics import PROTOCOLS, protocol_errors

    seen = table["visible"] & table["detected"][:, None]
    tracks = [slice(0, len(table))]
    derivative = PROTOCOLS[protocol].derivative
    if derivative:
        tracks = [track.rows for track in table.tracks()]
        tracks = [rows for rows in tracks if rows.stop - rows.start > derivative]
    # What was not detected is masked; zeros keep NaN out of the arithmetic.
    known = np.nan_to_num(poses)
    errors = [
        protocol_errors(
            protocol,
            known[rows],
            table["pose_3d"][rows],
            seen[rows],
            skeleton=lifter.skeleton,
            times_s=table["time_s"][rows],
        )
        for rows in tracks
    ]
    actions = [table["action"][rows][derivative:] for rows in tracks]
    return np.concatenate(errors), np.concatenate(actions)
