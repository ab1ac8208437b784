"""What a run has done, on disk: a record per finished epoch, and the state to go on from.

Both stand in `last_checkpoint`, which is written whole or not at all; `logs/scalars.json` is a copy
of the records for people and plots. Epochs may be shorter than writing all this takes, so it is
written every few seconds; a run that is killed in between does some epochs again, to the same
numbers.
"""

from __future__ import annotations

import copy
import json
import time
from typing import Any

from auglift.errors import MissingDataError, UsageError
from auglift.executors import fault_point
from auglift.lifting.checkpoint import load_resume_state, save_lifter, save_resume_state
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.trainer import Trainer
from auglift.storage.atomic import write_text
from auglift.storage.run_folder import RunFolder

Record = dict[str, Any]


class RunState:
    """The progress of one run."""

    def __init__(self, run: RunFolder, identity: str) -> None:
        self.run, self.identity = run, identity
        self.records: list[Record] = []
        self.trainer_state: dict[str, Any] = {}
        self._unsaved_best: LifterModel | None = None
        self._saved_at = -float("inf")

    @classmethod
    def read(cls, run: RunFolder, identity: str, *, afresh: bool, must_exist: bool) -> RunState:
        """The run's progress; nothing yet, if it is new or to be done `afresh`.

        `identity` says what the run is made of: settings and data. It must not have changed.
        """
        so_far = cls(run, identity)
        if must_exist and not run.last_checkpoint.is_file():
            raise MissingDataError(
                "there is no last_checkpoint to go on from",
                where=run.path,
                hint="name a folder of work_dirs/ that holds one, or leave out --resume",
            )
        if afresh or not run.last_checkpoint.is_file():
            return so_far
        kept = load_resume_state(run.last_checkpoint)
        if kept.get("identity") != identity:
            raise UsageError(
                "a run of this name was trained with other settings or data",
                where=run.path,
                hint="choose another --name, or --overwrite",
            )
        if not run.best_model.is_file():  # it is written before the state
            raise MissingDataError(
                "the run's training state is there, but its best weights are gone",
                where=run.best_model,
                hint="put them back, or --overwrite to train again",
            )
        so_far.records, so_far.trainer_state = kept["records"], kept["trainer"]
        return so_far

    @property
    def epochs_done(self) -> int:
        """Finished epochs."""
        return len(self.records)

    @property
    def best(self) -> Record:
        """The epoch of the lowest validation error."""
        return min(self.records, key=lambda record: (score(record), record["epoch"]))

    def finished(self, epochs: int, patience: int) -> bool:
        """Whether `epochs` are done, or the best lies `patience` epochs back (0: any number)."""
        if self.epochs_done >= epochs:
            return True
        return bool(self.records) and 0 < patience <= self.epochs_done - self.best["epoch"]

    def add(self, record: Record, trainer: Trainer) -> None:
        """Take in a finished epoch."""
        if not self.records or score(record) < score(self.best):
            self._unsaved_best = copy.deepcopy(trainer.best_weights)
        self.records.append(record)

    def is_due(self, every_s: float) -> bool:
        """Whether the last saving is that long ago."""
        return time.monotonic() - self._saved_at >= every_s

    def save(self, trainer: Trainer) -> None:
        """Write the best weights, then the state, then the log.

        Killed before the state is there, the run does these epochs again and writes the same.
        """
        if self._unsaved_best is not None:
            save_lifter(self.run.best_model, self._unsaved_best, trainer.spec)
            self._unsaved_best = None
        fault_point("before_state", trainer.epoch)
        state = {"identity": self.identity, "records": self.records, "trainer": trainer.state()}
        save_resume_state(self.run.last_checkpoint, state)
        fault_point("before_log", trainer.epoch)
        write_text(self.run.scalars, json.dumps(self.records, indent=1) + "\n")
        self._saved_at = time.monotonic()


def score(record: Record) -> float:
    """What the best epoch has least of: P1, P2 where there are no metres, the reconstruction's
    error in pre-training."""
    names = ("val_p1_mm", "val_p2_mm", "val_error")
    return float(next(record[name] for name in names if name in record))
