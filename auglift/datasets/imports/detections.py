"""The `detections` table of what other tools' files hold beside their annotations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auglift.config import StageConfig, config_hash
from auglift.datasets.imports import n_features, read_detections, read_sequence
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import SequenceId
from auglift.storage.provenance import lasting_settings
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import TableWriter


def write_detections(
    path: Path,
    sequences: Sequence[SequenceId],
    config: StageConfig,
    dataset: str,
    every: int,
    options: DatasetOptions,
) -> int | None:
    """Write the detections of these sequences; how many rows, or None if their files hold none."""
    held = {
        s.name: c
        for s in sequences
        if (c := read_detections(s.folder, s, every, options)) is not None
    }
    if not held:
        return None
    read = [read_sequence(s.folder, s, every, options) for s in sequences]
    skeleton = read[0].skeleton.name
    metadata = TableMetadata(
        kind="detections",
        skeleton=skeleton,
        detector_skeleton=skeleton,
        fps={sequence.id.name: sequence.fps for sequence in read},
        dataset=dataset,
        n_features=n_features(sequences[0].folder, options),
        # Whose a detection is, the file says: merge --match gt-box goes by the number.
        config=lasting_settings(config) | {"person": "gt-box"},
        config_hash=config_hash(config),
    )
    n_rows = 0
    with TableWriter(path, metadata) as writer:
        for name in sorted(held):
            columns = held[name]
            writer.append({"sequence": [name] * len(columns["frame"]), **columns})
            n_rows += len(columns["frame"])
    return n_rows
