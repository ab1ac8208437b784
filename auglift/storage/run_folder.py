"""The files of one training run: what they are called, and which weights to use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """One folder of `work_dirs/`."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name: its folder's."""
        return self.path.name

    @property
    def config(self) -> Path:
        """The whole configuration that it was trained with."""
        return self.path / "config.yaml"

    @property
    def best_model(self) -> Path:
        """The weights that did best in validation."""
        return self.path / "best_model.safetensors"

    @property
    def last_checkpoint(self) -> Path:
        """What training needs to go on where it stopped."""
        return self.path / "last_checkpoint"

    @property
    def scalars(self) -> Path:
        """The numbers of every epoch."""
        return self.path / "logs" / "scalars.json"

    def epoch_model(self, epoch: int) -> Path:
        """The weights after an epoch, counted from 1."""
        return self.path / f"epoch_{epoch}.safetensors"

    @property
    def epoch_models(self) -> list[Path]:
        """The weights of all epochs that are there, the last epoch's last."""
        numbered = {
            int(match[1]): path
            for path in self.path.glob("epoch_*.safetensors")
            if (match := re.fullmatch(r"epoch_(\d+)\.safetensors", path.name))
        }
        return [numbered[epoch] for epoch in sorted(numbered)]

    @property
    def model(self) -> Path | None:
        """The weights to use: the best, else the last epoch's; None where there are none."""
        if self.best_model.is_file():
            return self.best_model
        return next(reversed(self.epoch_models), None)
