"""What a run asks of its detector, before any network is opened; every process opens its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from auglift.detection.default_models import Mode
from auglift.detection.detector import DescriptorOptions
from auglift.detection.zoo_detector import (
    ModelChoice,
    OpenedDetector,
    choose_models,
    open_detector,
)


@dataclass(frozen=True, kw_only=True)
class DetectorRequest:
    """The networks by name, and how they are run."""

    networks: Mode
    device: str
    batch: int
    model_dir: Path | None
    descriptor: DescriptorOptions
    features: str | None
    backend: str

    def choices(self, may_fetch: bool) -> dict[str, ModelChoice]:
        """What the names stand for, by role; nothing is opened."""
        return choose_models(
            *self.networks.models,
            model_dir=self.model_dir,
            may_fetch=may_fetch,
            options=self.networks.options,
        )

    def open(self, threads: int) -> OpenedDetector:
        """Open the networks, each with so many threads."""
        return open_detector(
            *self.networks.models,
            device=self.device,
            threads=threads,
            batch=self.batch,
            model_dir=self.model_dir,
            descriptor=self.descriptor,
            options=self.networks.options,
            features=self.features,
            backend=self.backend,
        )
