"""The epochs of one run: learn, validate, keep, tell; until there are enough or they gain nothing.

Every process learns; the leading one alone validates and writes, and the others get its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from auglift.executors import Advance, Progress, fault_point
from auglift.geometry.metrics import protocol_errors
from auglift.lifting.checkpoint import save_lifter
from auglift.lifting.data import PoseData
from auglift.lifting.lifter import Lifter
from auglift.lifting.run_state import Record, RunState
from auglift.lifting.tensorboard import Board
from auglift.lifting.trainer import Trainer


@dataclass(frozen=True)
class Keeping:
    """What of a run is kept, and when."""

    weights_every: int = 0
    """The weights of every so many-th epoch; 0: of the best only."""
    state_every_s: float = 0.0
    """The state to resume from, at ends of epochs that are at least so far apart."""
    tensorboard: bool = False


def run_epochs(
    trainer: Trainer,
    validation: Iterable[PoseData],
    so_far: RunState,
    progress: Progress,
    *,
    epochs: int,
    most_steps: int | None = None,
    keeping: Keeping = Keeping(),
) -> None:
    """Go on until `epochs` are done, or `patience` of them brought nothing.

    `validation` are tables of whole tracks.
    """
    world = trainer.world
    board = Board(so_far.run.path / "tensorboard") if keeping.tensorboard and world.leads else None
    samples = (epochs - trainer.epoch) * trainer.samples_per_epoch
    with progress(f"train {so_far.run.name}", samples, "samples") as advance:
        while not so_far.finished(epochs, trainer.recipe.patience):
            loss = trainer.run_epoch(_telling(advance, trainer, epochs, so_far), most_steps)
            record = world.from_leader(_record(trainer, validation, loss) if world.leads else None)
            fault_point(f"rank_{world.rank}_after_epoch", trainer.epoch)
            if not world.leads:
                so_far.records.append(record)
                continue
            so_far.add(record, trainer)
            _keep(so_far, trainer, keeping, epochs)
            if board:
                board.add(record)
            fault_point("after_epoch", trainer.epoch)
    if board:
        board.close()


def _keep(so_far: RunState, trainer: Trainer, keeping: Keeping, epochs: int) -> None:
    if keeping.weights_every and trainer.epoch % keeping.weights_every == 0:
        path = so_far.run.epoch_model(trainer.epoch)
        save_lifter(path, trainer.best_weights, trainer.spec)
    at_end = so_far.finished(epochs, trainer.recipe.patience)
    if at_end or so_far.is_due(keeping.state_every_s):
        so_far.save(trainer)


def validate(lifter: Lifter, tables: Iterable[PoseData]) -> tuple[float, float]:
    """P1 and P2 in millimetres over the rows with a detection."""
    protocols = ("p1", "p2")
    sums, counts = np.zeros(len(protocols)), np.zeros(len(protocols))
    for data in tables:
        detected = data.columns["detected"].cpu().numpy()
        if not detected.any():
            continue
        poses = lifter.lift(data)[detected]
        truth = data.columns["pose_3d"].cpu().numpy()[detected]
        visible = data.columns["visible"].cpu().numpy()[detected]
        for i, protocol in enumerate(protocols):
            errors = protocol_errors(protocol, poses, truth, visible, skeleton=lifter.skeleton)
            measured = errors[~np.isnan(errors)]
            sums[i] += measured.sum()
            counts[i] += measured.size
    with np.errstate(invalid="ignore"):  # nothing was measured: NaN
        p1, p2 = (1000 * (sums / counts)).tolist()
    return p1, p2


def describe(record: Record) -> str:
    """A record's validation in a few words."""
    if "val_error" in record:
        return f"val {record['val_error']:.4f}"
    p1 = f"P1 {record['val_p1_mm']:.1f} mm, " if "val_p1_mm" in record else ""
    return f"val {p1}P2 {record['val_p2_mm']:.1f} mm"


def _record(trainer: Trainer, validation: Iterable[PoseData], loss: float) -> Record:
    record: Record = {"epoch": trainer.epoch, "loss": loss, "lr": trainer.latest_lr}
    if trainer.recipe.task != "2d3d":
        return record | {"val_error": trainer.reconstruction_error(validation)}
    p1, p2 = validate(Lifter(trainer.best_weights, trainer.spec, trainer.device), validation)
    # Places in the picture have a shape, which P2 compares, and no size in millimetres.
    return record | ({"val_p1_mm": p1} if trainer.spec.target.metric else {}) | {"val_p2_mm": p2}


def _telling(advance: Advance, trainer: Trainer, epochs: int, so_far: RunState) -> Advance:
    """Steps' progress, with the epoch and the latest numbers in its note."""
    start = f"epoch {trainer.epoch + 1}/{epochs}"
    validated = f", {describe(so_far.records[-1])}" if so_far.records else ""
    latest = "begins"

    def tell(n: int = 1, note: str = "") -> None:
        nonlocal latest
        latest = note or latest
        advance(n, f"{start}, {latest}{validated}")

    return tell
