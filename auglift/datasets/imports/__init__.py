"""Annotations that other tools have written, as one more dataset reader: `preprocess --from FILE`.

A format is a module with `recognises(path)`, which looks at names and keys only, `dataset(path)`,
and `open_file(path, options)`, which gives every sequence with the function that reads it. Formats
are found by their content, never by a flag.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from auglift.datasets.imports import (
    h3wb,
    mmpose,
    motionbert,
    own,
    pstmo,
    pw3d_json,
    videopose3d,
)
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
    "3DPW JSON": pw3d_json,
    "your own npz or parquet": own,
}

# Where each tool's files lie below a dataset's folder.
_USUAL_FILES = (
    ("annotation_body3d/fps*/*_train.npz", "annotation_body3d/fps*/*_test.npz",
     "**/annotations/mpi_inf_3dhp_train.npz", "**/annotations/mpi_inf_3dhp_test_valid.npz",
     "*_xycd_*.npz"),
    ("**/data_3d_h36m.npz",),
    ("**/data_train_3dhp.npz", "**/data_test_3dhp.npz"),
    ("**/h36m_sh_conf_cam_source_final.pkl",),
    ("**/2Dto3D_train.json",),
    ("**/3DPW_train.json", "**/3DPW_validation.json", "**/3DPW_test.json"),
)  # fmt: skip


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


def find_files(folder: Path) -> tuple[Path, ...]:
    """Files of one known tool below a folder of raw data; of several, those of the first.

    Of one name in several folders (MMPose's fps10 and fps50) the last by name is taken.
    """
    for patterns in _USUAL_FILES:
        found = {path.name: path for pattern in patterns for path in sorted(folder.glob(pattern))}
        if found:
            return tuple(found[name] for name in sorted(found))
    return ()


def list_sequences(folder: Path, options: DatasetOptions) -> list[SequenceId]:
    """Every sequence of a file, or of the files that a folder holds."""
    files = (folder,) if folder.is_file() else find_files(folder)
    return [one.id for file in files for one in _open(file, options).sequences.values()]


def read_sequence(
    folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
) -> AnnotatedSequence:
    """One sequence of its file, its pictures whose number is a multiple of `every`."""
    whole = _open(sequence.folder, options).sequences[sequence.name].read()
    return whole if every == 1 else _thinned(whole, every)


def read_detections(
    folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
) -> Columns | None:
    """The detections of the same rows, if the file holds any: columns from `person` on."""
    detections = _open(sequence.folder, options).sequences[sequence.name].detections
    if detections is None:
        return None
    columns = detections()
    kept = columns["frame"] % every == 0
    return {name: array[kept] for name, array in columns.items()}


def n_features(file: Path, options: DatasetOptions) -> int:
    """Numbers per joint in the detections' column `features`; 0 if it has none."""
    return _open(file, options).n_features


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
