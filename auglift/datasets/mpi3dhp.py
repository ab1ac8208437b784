"""MPI-INF-3DHP: eight people in a green studio, six test takes of one camera.

`<folder>/…/S1/Seq1/…` and `<folder>/…/TS1/…`, wherever they lie below the folder, such as
`train/` and `mpi_inf_3dhp_test_set/mpi_inf_3dhp_test_set/`. Its annotations are in camera axes
already and in millimetres; 2D is the dataset's own (`annot2`), which lies up to two pixels from
the projected 3D at the hips and the spine.

`neck`, `head` and `head_top` become Human3.6M's thorax, neck_base and head: the nearest joints,
not the same spots of the body.
"""

from __future__ import annotations

import re
from pathlib import Path

from auglift.datasets.mpi3dhp_check import check_copy
from auglift.datasets.mpi3dhp_test import list_tests, read_test
from auglift.datasets.mpi3dhp_train import list_takes, read_take
from auglift.datasets.options import DatasetOptions
from auglift.datasets.places import find_folders, refuse_two
from auglift.datasets.sequence import AnnotatedSequence, CheckLine, SequenceId
from auglift.errors import MissingDataError

_SUBJECTS = re.compile(r"S[1-8]|TS[1-6]")


def list_sequences(folder: Path, options: DatasetOptions) -> list[SequenceId]:
    """Eight cameras of every training take, and the test sequences."""
    subjects = find_folders(folder, _SUBJECTS)
    tests = [subject for subject in subjects if subject.name.startswith("TS")]
    found = list_takes([s for s in subjects if s not in tests]) + list_tests(tests)
    if not found:
        raise MissingDataError(
            "no sequences of MPI-INF-3DHP",
            where=folder,
            hint="S1/Seq1/annot.mat or TS1/annot_data.mat are looked for, here and below",
        )
    # One that two folders claim is listed once, and refused when it is read.
    return list({sequence.name: sequence for sequence in found}.values())


def read_sequence(
    folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
) -> AnnotatedSequence:
    """One camera of one take."""
    is_test = sequence.split == "test"
    file = Path("annot_data.mat") if is_test else Path(sequence.folder.name, "annot.mat")
    subject = sequence.name.split("/")[1]
    places = (one / file for one in find_folders(folder, _SUBJECTS) if one.name == subject)
    refuse_two(places, sequence.name)
    read = read_test if is_test else read_take
    return read(folder, sequence, every, options)


def check(folder: Path, options: DatasetOptions) -> list[CheckLine]:
    """What is there, what is missing, what looks wrong."""
    return check_copy(folder, find_folders(folder, _SUBJECTS), options, read_sequence)
