"""Sequences on their way into a table of annotations: each in a file of its own until all are read.

    auglift_data/h36m/annotations/.train-0123456789ab.parts/<hash of the sequence's name>.parquet

A part is a whole table of annotations of one sequence; it says its frame rate, and how far its 3D
lies from its 2D. So a killed run loses the sequences that it was reading, and memory holds one
sequence at a time however many there are.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auglift.config import StageConfig, config_hash
from auglift.datasets.reprojection import SUSPICIOUS_PX, ErrorCounts
from auglift.datasets.sequence import AnnotatedSequence
from auglift.errors import BrokenFileError, SchemaError
from auglift.storage.provenance import lasting_settings
from auglift.storage.table_metadata import TableMetadata, combined
from auglift.storage.table_writer import TableWriter, write_table
from auglift.storage.tables import TableInfo, iter_chunks, table_info

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PartsFolder:
    """The parts of one table."""

    table: Path
    config_hash: str

    @property
    def path(self) -> Path:
        """A hidden folder beside the table."""
        return self.table.with_name(f".{self.table.stem}-{self.config_hash}.parts")

    def part(self, name: str) -> Path:
        """The file of one sequence; its name may be any text."""
        return self.path / f"{hashlib.sha256(name.encode()).hexdigest()[:20]}.parquet"

    def info(self, name: str) -> TableInfo | None:
        """What the part of a sequence says, if it is there and whole."""
        path = self.part(name)
        try:
            return table_info(path, "annotations") if path.is_file() else None
        except (BrokenFileError, SchemaError) as error:
            logger.warning("%s is read again: %s", name, error.what)
            return None

    def write(self, sequence: AnnotatedSequence, config: StageConfig, dataset: str) -> None:
        """Keep one sequence."""
        errors_px = sequence.reprojection_px()
        metadata = TableMetadata(
            kind="annotations",
            skeleton=sequence.skeleton.name,
            fps={sequence.id.name: float(sequence.fps)},
            dataset=dataset,
            distortion=sequence.cameras[0].distortion,
            config=lasting_settings(config),
            config_hash=config_hash(config),
            extra={"errors_px": ErrorCounts.of(errors_px).as_text()},
        )
        write_table(self.part(sequence.id.name), metadata, sequence.columns())

    def join(self, names: Sequence[str], extra: Mapping[str, Any]) -> dict[str, Any]:
        """Write the table from the parts of all `names`, in their order; what it says of itself.

        The result is also in the table's metadata, as `summary`.
        """
        infos = {name: info for name in names if (info := self.info(name)) is not None}
        errors = {name: _errors(info) for name, info in infos.items()}
        summary = {
            "sequences": len(infos),
            "rows": sum(info.n_rows for info in infos.values()),
            **_reprojection(errors),
        }
        together = combined({info.paths[0]: info.metadata for info in infos.values()})
        metadata = replace(together, extra={**extra, "summary": summary})
        with TableWriter(self.table, metadata) as writer:
            for info in infos.values():
                for chunk in iter_chunks(info.paths[0], "annotations"):
                    writer.append(chunk.columns)
        return summary

    def remove(self) -> None:
        """Leave no parts of this table, of whatever config."""
        for path in self.table.parent.glob(f".{self.table.stem}-*.parts"):
            shutil.rmtree(path)


def _errors(info: TableInfo) -> ErrorCounts:
    return ErrorCounts.from_text(info.metadata.extra["errors_px"])


def _reprojection(errors: Mapping[str, ErrorCounts]) -> dict[str, float | None]:
    """How far projected 3D joints lie from the 2D ones; says where that is too far."""
    for name, counts in errors.items():
        median_px = counts.quantile_px(0.5)
        if median_px is not None and median_px > SUSPICIOUS_PX:
            logger.warning(
                "%s: projected 3D lies %.1f px from the 2D (median): camera or axes are wrong",
                *(name, median_px),
            )
    total = sum(errors.values(), ErrorCounts())
    return {
        "reprojection_median_px": total.quantile_px(0.5),
        "reprojection_p99_px": total.quantile_px(0.99),
    }
