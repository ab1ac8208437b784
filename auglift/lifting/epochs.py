"""The epochs of one run: learn, validate, keep, tell; until there are enough or they gain nothing.

Every process learns; the leading one alone validates and writes, and the others get its numbers.
"""

from __future__ import annotations

from auglift.executors import Advance, Progress, fault_point
from auglift.geometry.metrics import mpjpe, p_mpjpe
from auglift.lifting.data import PoseData
from auglift.lifting.lifter import Lifter
from auglift.lifting.run_state import Record, RunState
from auglift.lifting.tensorboard import Board
from auglift.lifting.trainer import Trainer


def run_epochs(
    trainer: Trainer,
    validation: PoseData,
    so_far: RunState,
    progress: Progress,
    *,
    epochs: int,
    most_steps: int | None = None,
    keep_every: int = 0,
    tensorboard: bool = False,
) -> None:
    """Go on until `epochs` are done, or `patience` of them brought nothing."""
    leads = trainer.world.leads
    board = Board(so_far.run.path / "tensorboard") if tensorboard and leads else None
    samples = (epochs - trainer.epoch) * trainer.samples_per_epoch
    with progress(f"train {so_far.run.name}", samples, "samples") as advance:
        while not so_far.finished(epochs, trainer.recipe.patience):
            loss = trainer.run_epoch(_telling(advance, trainer, epochs, so_far), most_steps)
            record = _record(trainer, validation, loss) if leads else None
            record = trainer.world.from_leader(record)
            if not leads:
                so_far.records.append(record)
                continue
            so_far.add(record, trainer, keep_every > 0 and trainer.epoch % keep_every == 0)
            if board:
                board.add(record)
            fault_point("after_epoch", trainer.epoch)
    if board:
        board.close()


def validate(lifter: Lifter, data: PoseData) -> tuple[float, float]:
    """P1 and P2 in millimetres over the rows with a detection."""
    detected = data.columns["detected"].cpu().numpy()
    poses = lifter.lift(data)[detected]
    truth = data.columns["pose_3d"].cpu().numpy()[detected]
    visible = data.columns["visible"].cpu().numpy()[detected]
    p1 = mpjpe(poses, truth, visible, skeleton=lifter.skeleton)
    p2 = p_mpjpe(poses, truth, visible, skeleton=lifter.skeleton)
    return 1000 * p1, 1000 * p2


def describe(record: Record) -> str:
    """A record's validation in a few words."""
    if "val_error" in record:
        return f"val {record['val_error']:.4f}"
    p1 = f"P1 {record['val_p1_mm']:.1f} mm, " if "val_p1_mm" in record else ""
    return f"val {p1}P2 {record['val_p2_mm']:.1f} mm"


def _record(trainer: Trainer, validation: PoseData, loss: float) -> Record:
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
