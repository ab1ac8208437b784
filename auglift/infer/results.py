"""What became of the inputs: `InferResult`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from auglift.errors import AugliftError, PartlyDoneError


@dataclass(frozen=True)
class InferredFile:
    """What became of one input."""

    source: Path
    results: tuple[Path, ...]
    """All its files, written now or before."""
    written: tuple[Path, ...] = ()
    """Those written now."""
    frames: int = 0
    people: int = 0
    poses: int = 0
    faults: tuple[str, ...] = ()
    """What could not be read of it."""


@dataclass(frozen=True)
class Failure:
    """An input that could not be done, and why."""

    source: Path
    error: AugliftError


@dataclass(frozen=True)
class InferResult:
    """What became of all inputs."""

    files: tuple[InferredFile, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def error(self) -> PartlyDoneError | None:
        """What a command ends with where some of the inputs failed."""
        if not self.failures:
            return None
        reasons = "; ".join(f"{one.source}: {one.error.what}" for one in self.failures)
        n_inputs = len(self.files) + len(self.failures)
        return PartlyDoneError(
            f"{len(self.failures)} of {n_inputs} inputs could not be done: {reasons}",
            hint="mend or leave out those inputs; the others are done and kept",
        )
