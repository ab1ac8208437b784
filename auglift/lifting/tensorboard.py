"""The numbers of every epoch for TensorBoard, beside `logs/scalars.json`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from auglift.errors import MissingExtraError


class Board:
    """Writes event files into a folder: `tensorboard --logdir work_dirs` shows them."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("TensorBoard is not installed", extra="tensorboard") from error
        self._writer = SummaryWriter(os.fspath(folder))

    def add(self, record: Mapping[str, float]) -> None:
        """One epoch's numbers."""
        for name, value in record.items():
            if name != "epoch":
                self._writer.add_scalar(name, value, int(record["epoch"]))
        self._writer.flush()

    def close(self) -> None:
        """Finish the files."""
        self._writer.close()
