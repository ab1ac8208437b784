"""The card of an embedded lifter, from what its run and its tables say.

In:  a `FinishedRun`, its weights as they will be shipped, and what `auglift evaluate` found.
Out: plain values for `models_zoo/<name>.yaml`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from held_out import check_held_out, motion_of
from retraining import retrain_command, yaml_text

from auglift.config import load_config
from auglift.errors import UsageError
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.on_tables import trained_on
from auglift.lifting.spec import LifterSpec
from auglift.storage.run_folder import RunFolder
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.tables import table_info
from auglift.storage.workspace import Workspace
from auglift.train import TrainConfig

LICENCE = "Apache-2.0"


class Source(NamedTuple):
    """Where a data set's motion is from."""

    licence: str
    credit: str


SOURCES = {
    "cmu": Source(
        "free for all uses, products included; the data itself must not be resold",
        "The data used in this project was obtained from mocap.cs.cmu.edu. The database was "
        "created with funding from NSF EIA-0196217.",
    ),
    "uiprmd": Source(
        "ODC PDDL 1.0 (public domain)",
        "UI-PRMD: Vakanski, Jun, Paul and Baker, A Data Set of Human Body Movements for Physical "
        "Rehabilitation Exercises, Data 3(1), 2018.",
    ),
    "virtual": Source(LICENCE, "Motion made up by auglift's own studio."),
}
"""By data set; names that go on, such as cmu-wide or cmu_lab, are of the same motion."""

LIMITS = (
    "Trained on motion capture before virtual cameras, with simulated 2D detections; never on "
    "pictures, and not on Human3.6M: its joints lie centimetres from that data set's. Whole "
    "bodies of grown people; no hands, feet or faces."
)
DEPTH_LIMITS = " Its depth was simulated too: metres from the camera, as metric networks give it."


@dataclass(frozen=True)
class FinishedRun:
    """A run that has ended, and the tables that it has learned from."""

    folder: RunFolder
    config: TrainConfig
    spec: LifterSpec
    model: LifterModel
    tables: dict[str, TableMetadata]
    validation_mm: tuple[float, float]
    """P1 and P2 of the weights that were kept."""


class Score(NamedTuple):
    """Numbers on one test table."""

    dataset: str
    poses: int
    p1_mm: float
    p2_mm: float
    p1_before_mm: float
    """Of the weights before they became float16."""


def read_run(
    folder: RunFolder, workspace: Workspace, spec: LifterSpec, model: LifterModel
) -> FinishedRun:
    """Everything that is known of a run; an error if it cannot be shipped."""
    config = load_config(TrainConfig, files=[folder.config], environment={})
    _check(config, spec, folder)
    check_held_out(config, spec, workspace, folder.path)
    tables = {
        name: table_info(workspace.xycd(name, "train"), "xycd").metadata
        for name in trained_on(spec)
    }
    records = json.loads(folder.scalars.read_text(encoding="utf-8"))
    best = min(records, key=lambda record: record["val_p1_mm"])
    validation_mm = (best["val_p1_mm"], best["val_p2_mm"])
    return FinishedRun(folder, config, spec, model, tables, validation_mm)


def _check(config: TrainConfig, spec: LifterSpec, folder: RunFolder) -> None:
    reasons = {
        "it was only tried out (--debug)": config.debug,
        "its poses are no metres": not spec.target.metric,
        "its depth is a control experiment": config.depth != "measured",
        "a test set chose its weights": spec.data.get("chosen_on") == "test",
        "another run's weights were its beginning: no one command makes it again": config.init_from,
    }
    for reason, is_so in reasons.items():
        if is_so:
            raise UsageError(f"this run is not for the zoo: {reason}", where=folder.path)


def source_of(dataset: str) -> Source:
    """Licence and credit of a data set."""
    source = SOURCES.get(motion_of(dataset))
    if source is None:
        raise UsageError(
            f"nobody has said under which licence the motion of '{dataset}' is",
            hint=f"add it to SOURCES in models_zoo/lifter_card.py; known: {', '.join(SOURCES)}",
        )
    return source


# ----------------------------------------------------------------- the card


def make_card(
    name: str, run: FinishedRun, weights: Path, weights_sha256: str, scores: list[Score]
) -> dict[str, Any]:
    """The card's values, in the order in which they are read."""
    spec, frames = run.spec, run.model.receptive_field
    channels = spec.features.channels
    n_joints = int(spec.model["n_joints"])
    parameters = sum(p.numel() for p in run.model.parameters())
    size_mb = round(weights.stat().st_size / 1e6, 2)
    seen = "one frame" if frames == 1 else f"{frames} frames at {spec.fps:g} Hz"
    return {
        "id": name,
        "kind": "lifter",
        "file": f"lifters/{name}.safetensors",
        "sha256": weights_sha256,
        "licence": LICENCE,
        "non_commercial": False,
        "contract": {
            "layout": f"Joints of {spec.skeleton}; of each {', '.join(channels)}. Poses are "
            "metres about the root, camera axes: x right, y down, z forward.",
            "inputs": {"features": [None, None, n_joints, len(channels)]},
            "outputs": {"poses": [None, None, n_joints, 3]},
        },
        "description": f"Lifter {spec.arch}, {spec.features.variant}, {seen}; "
        f"{parameters / 1e6:.2f} M parameters, {size_mb} MB.",
        "lifter": {
            "arch": spec.arch,
            "variant": spec.features.variant,
            "frames": frames,
            "fps": spec.fps,
            "parameters": parameters,
            "size_mb": size_mb,
            "validation_p1_mm": round(run.validation_mm[0], 2),
            "validation_p2_mm": round(run.validation_mm[1], 2),
            "training_data": [
                {"dataset": dataset, "rows": rows, **source_of(dataset)._asdict()}
                for dataset, rows in spec.data["tables"]
            ],
            "retrain": retrain_command(name, run.folder.name, run.tables),
            "limits": LIMITS + (DEPTH_LIMITS if spec.uses_depth else ""),
        },
        "recipe": f"models_zoo/recipes/{name}.yaml",
        "score": _score_text(name, scores, trained_on(spec)),
        "notes": _loss_text(scores),
    }


def card_text(card: Mapping[str, Any]) -> str:
    """The card as it is written."""
    return yaml_text(card)


def evaluate_command(name: str, datasets: list[str]) -> str:
    """The command that prints the score."""
    asked = " ".join(f"--dataset {dataset}" for dataset in datasets)
    return f"auglift evaluate {asked} --checkpoint {name} --protocol p1 --protocol p2"


def _score_text(name: str, scores: list[Score], learned: tuple[str, ...]) -> str:
    known = {motion_of(dataset) for dataset in learned}
    lines = [
        f"P1 {one.p1_mm:.1f}, P2 {one.p2_mm:.1f} mm on {one.dataset}'s test subjects"
        + ("" if motion_of(one.dataset) in known else ", whose motion it has not learned from")
        + f"; {one.poses:,} poses"
        for one in scores
    ]
    command = evaluate_command(name, [one.dataset for one in scores])
    return f"{'. '.join(lines)}. Printed by: {command}"


def _loss_text(scores: list[Score]) -> str:
    changes = ", ".join(
        f"{one.p1_before_mm:.3f} → {one.p1_mm:.3f} mm on {one.dataset}" for one in scores
    )
    return (
        "Matrices are float16 in the file and float32 in computation, which changes P1 by little: "
        f"{changes}."
    )
