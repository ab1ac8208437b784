"""A look at a raw dataset through its reader alone, for readers that have no `check` of their own.

Lists what is there by split and subject, reads one sequence of each subject, and projects its 3D
onto its 2D. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from auglift.datasets.options import DatasetOptions
from auglift.datasets.reprojection import SUSPICIOUS_PX
from auglift.datasets.sequence import AnnotatedSequence, CheckLine, DatasetReader, SequenceId
from auglift.errors import DataError

Read = Callable[[Path, SequenceId, int, DatasetOptions], AnnotatedSequence]


def check_reader(reader: DatasetReader, folder: Path, options: DatasetOptions) -> list[CheckLine]:
    """What the reader finds, and whether a sample of it can be read."""
    try:
        sequences = sorted(reader.list_sequences(folder, options), key=lambda s: s.name)
    except DataError as error:
        return [of_error(error)]
    lines = []
    for split in sorted({sequence.split for sequence in sequences}):
        groups: dict[str, list[SequenceId]] = {}
        for sequence in (s for s in sequences if s.split == split):
            groups.setdefault(_group(sequence), []).append(sequence)
        n_all = sum(map(len, groups.values()))
        lines.append(CheckLine("ok", f"{split}: {n_all} sequences", str(folder)))
        samples = [ours[0] for ours in groups.values()]
        lines += check_sample(folder, samples, options, reader.read_sequence)
    return lines or [CheckLine("missing", "no sequences", str(folder))]


def check_sample(
    folder: Path, sequences: Iterable[SequenceId], options: DatasetOptions, read_sequence: Read
) -> Iterator[CheckLine]:
    """Read each sequence and compare its 3D with its 2D."""
    for listed in sequences:
        try:
            sequence = read_sequence(folder, listed, 1, options)
        except DataError as error:
            yield of_error(error)
            continue
        errors_px = sequence.reprojection_px()
        if not np.isfinite(errors_px).any():
            yield CheckLine("wrong", f"{listed.name}: no frames to compare", str(listed.folder))
            continue
        median_px = float(np.nanmedian(errors_px))
        yield CheckLine(
            "wrong" if median_px > SUSPICIOUS_PX else "ok",
            f"{listed.name}: {len(sequence)} rows; projected 3D lies {median_px:.2f} px from the "
            "2D (median)",
            str(listed.folder),
        )


def of_error(error: DataError) -> CheckLine:
    """What a reader refused, as a finding."""
    return CheckLine("wrong", error.what, error.where or "")


def _group(sequence: SequenceId) -> str:
    """The subject, or the sequence itself: `dataset/subject/…`."""
    return "/".join(sequence.name.split("/")[:2])
