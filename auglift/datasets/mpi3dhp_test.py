"""The test sequences of 3DHP: six takes of one camera each, as pictures.

    TS1/annot_data.mat                         MATLAB v7.3, which is HDF5
        imageSequence/img_000001.jpg …         the picture of row 0, and so on

h5py turns MATLAB's axes round: `annot2` (n, 1, 17, 2) px, `annot3` and `univ_annot3`
(n, 1, 17, 3) mm in camera axes, `valid_frame` (n, 1). Only valid frames count in the official
evaluation; how many they are differs between the copies that go round.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.datasets.footage import common_length, look_at, only_pictured
from auglift.datasets.mpi3dhp_cameras import SIZES, camera_of
from auglift.datasets.mpi3dhp_train import vouched
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence, SequenceId
from auglift.errors import BrokenFileError, MissingDataError, MissingExtraError
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import H36M_17, MPI3DHP_17
from auglift.storage.table_checks import at

FloatArray = npt.NDArray[np.float64]

# No file of the test set says it. TS1 to TS4 last four minutes at 25 Hz, as every training take
# does at its own rate; TS5 and TS6, of 320 and 492 frames, are taken to be like them.
FPS = 25.0

# What is reported by: results of the test set are given by scene. The activity changes from frame
# to frame, so a sequence has none.
SCENES = {
    "TS1": "studio_green_screen",
    "TS2": "studio_green_screen",
    "TS3": "studio",
    "TS4": "studio",
    "TS5": "outdoor",
    "TS6": "outdoor",
}

_AGAIN = "fetch the test set again, and keep annot_data.mat as it comes (MATLAB v7.3)"


def list_tests(folders: list[Path]) -> list[SequenceId]:
    """TS1 to TS6: those whose pictures are there; without any pictures, all."""
    return only_pictured(
        (sequence_of(folder), folder / "imageSequence")
        for folder in folders
        if (folder / "annot_data.mat").is_file()
    )


def sequence_of(folder: Path) -> SequenceId:
    """One test sequence."""
    return SequenceId(f"3dhp/{folder.name}", "test", folder, folder.name)


def read_test(
    folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
) -> AnnotatedSequence:
    """One test sequence."""
    name = sequence.folder.name
    path = sequence.folder / "annot_data.mat"
    content = read_annotations(path)
    valid = content["valid_frame"] != 0
    with at(path, _AGAIN):
        camera = camera_of(
            name, options.mpi3dhp_intrinsics, content["annot2"][valid], content["annot3"][valid]
        )
    footage = look_at(sequence.folder / "imageSequence", SIZES[name])
    wanted = valid if options.mpi3dhp_frames == "valid" else np.ones_like(valid)
    frames = np.flatnonzero(wanted[: common_length(footage, len(valid))])
    frames = frames[frames % every == 0]
    keypoints = _h36m(content["annot2"][frames])
    pose_3d = _h36m(content[options.mpi3dhp_pose][frames]) / 1000
    return AnnotatedSequence(
        id=sequence,
        skeleton=H36M_17,
        subject=name,
        action=SCENES[name],
        fps=FPS,
        source=footage.path.relative_to(folder).as_posix(),
        cameras=[camera] * len(frames),
        person=np.zeros(len(frames), np.int16),
        frame=frames,
        keypoints_2d=keypoints,
        pose_3d=pose_3d,
        visible=vouched(keypoints, pose_3d),
        reprojects=options.mpi3dhp_pose == "annot3",
    )


def read_annotations(path: Path) -> dict[str, FloatArray]:
    """`annot2` (n, 17, 2), `annot3` and `univ_annot3` (n, 17, 3), `valid_frame` (n,)."""
    if not path.is_file():
        raise MissingDataError("no annotations", where=path, hint=_AGAIN)
    try:
        with _h5py().File(path, "r") as file:
            n_frames = file["valid_frame"].size
            shapes = {
                "annot2": (n_frames, 17, 2),
                "annot3": (n_frames, 17, 3),
                "univ_annot3": (n_frames, 17, 3),
                "valid_frame": (n_frames,),
            }
            return {name: _values(file, name, shape) for name, shape in shapes.items()}
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise BrokenFileError(
            f"not the annotations of a test sequence: {error}", where=path, hint=_AGAIN
        ) from error


def _values(file: Any, name: str, shape: tuple[int, ...]) -> FloatArray:
    values = np.asarray(file[name][()], np.float64)
    if values.shape not in ((shape[0], 1, *shape[1:]), shape):
        raise ValueError(f"{name} is {values.shape}")
    return values.reshape(shape)


def _h36m(points: FloatArray) -> FloatArray:
    """(N, 17, D) of Human3.6M's joints."""
    return np.asarray(map_joints(points, MPI3DHP_17.name, H36M_17.name), np.float64)


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            "the test set of 3DHP is in HDF5 files, which h5py reads", extra="3dhp"
        ) from error
    return h5py
