"""Annotations that other tools have written, as one more dataset reader: `preprocess --from FILE`.

A format is a module with `recognises(path)`, which looks at names and keys only, `dataset(path)`,
and `open_file(path, options)`, which gives every sequence with the function that reads it. Formats
are found by their content, never by a flag.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from auglift.datasets.imports import h3wb, mmpose, motionbert, own, pstmo, videopose3d
from auglift.datasets.imports.flat import Format, Opened
from auglift.datasets.imports.found import Columns
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence, SequenceId
from auglift.errors import MissingDataError, SchemaError

# In the order of asking: our own minimal contract is the last, for its keys are the plainest.
FORMATS: dict[str, Format] = {
    "MMPose npz": mmpose,
    "VideoPose3D npz": videopose3d,
    "P-STMO 3DHP npz": pstmo,
    "MotionBERT pickle": motionbert,
    "H3WB JSON": h3wb,
    "your own npz or parquet": own,
}


def recognise(path: Path) -> tuple[str, Format]:
    """Whose file this is."""
    if not path.is_file():
        raise MissingDataError("no such file", where=path)
    for name, module in FORMATS.items():
        if module.recognises(path):
            return name, module
    raise SchemaError(
        "annotations of no format that is known here",
        where=path,
        hint=f"known: {', '.join(FORMATS)}; the keys of your own are in the README",
    )


def dataset_of(path: Path) -> str:
    """The dataset that a file says it is of."""
    return recognise(path)[1].dataset(path)


def list_sequences(folder: Path, options: DatasetOptions) -> list[SequenceId]:
    """Every sequence of the file (`folder` is a file here)."""
    return [opened.id for opened in _open(folder, options).sequences.values()]


def read_sequence(
    folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
) -> AnnotatedSequence:
    """One sequence of the file, its pictures whose number is a multiple of `every`."""
    whole = _open(folder, options).sequences[sequence.name].read()
    return whole if every == 1 else _thinned(whole, every)


def read_detections(
    folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
) -> Columns | None:
    """The detections of the same rows, if the file holds any: columns from `person` on."""
    detections = _open(folder, options).sequences[sequence.name].detections
    if detections is None:
        return None
    columns = detections()
    kept = columns["frame"] % every == 0
    return {name: array[kept] for name, array in columns.items()}


def n_features(folder: Path, options: DatasetOptions) -> int:
    """Numbers per joint in the detections' column `features`; 0 if it has none."""
    return _open(folder, options).n_features


def _open(path: Path, options: DatasetOptions) -> Opened:
    return _opened(path, path.stat().st_mtime_ns, options)


@lru_cache(maxsize=1)
def _opened(path: Path, changed_ns: int, options: DatasetOptions) -> Opened:
    """A file of a million rows takes long to open, and is asked for one sequence after another."""
    return recognise(path)[1].open_file(path, options)


def _thinned(whole: AnnotatedSequence, every: int) -> AnnotatedSequence:
    kept = (whole.frame % every == 0).nonzero()[0]
    arrays = ("person", "frame", "keypoints_2d", "pose_3d", "visible")
    return replace(
        whole,
        cameras=[whole.cameras[i] for i in kept],
        **{name: getattr(whole, name)[kept] for name in arrays},
    )
