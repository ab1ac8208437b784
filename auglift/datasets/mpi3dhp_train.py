"""The training takes of 3DHP: two by each of eight people, seen by 14 cameras; eight of them count.

    S1/Seq1/annot.mat                          MATLAB v5
            camera.calibration                 see mpi3dhp_cameras.py
            imageSequence/video_0.avi …        or a folder of pictures (`_PICTURES`)

`annot.mat` holds cells (14, 1), one for each camera: `annot2` (F, 56) px, `annot3` and
`univ_annot3` (F, 84) mm in that camera's axes; 28 joints. It goes on after the end of the videos.
"""

from __future__ import annotations

import functools
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io
from scipy.io.matlab import MatReadError

from auglift.datasets.footage import common_length, is_there, look_at, only_pictured
from auglift.datasets.mpi3dhp_cameras import read_calibration
from auglift.datasets.options import DatasetOptions
from auglift.datasets.sequence import AnnotatedSequence, SequenceId
from auglift.errors import BrokenFileError, MissingDataError
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import H36M_17, MPI3DHP_28

FloatArray = npt.NDArray[np.float64]

# Frames that are good, and frames per second: the dataset's `mpii_get_sequence_info.m`.
FRAMES_AND_FPS = {
    ("S1", "Seq1"): (6416, 25), ("S1", "Seq2"): (12430, 50),
    ("S2", "Seq1"): (6502, 25), ("S2", "Seq2"): (6081, 25),
    ("S3", "Seq1"): (12488, 50), ("S3", "Seq2"): (12283, 50),
    ("S4", "Seq1"): (6171, 25), ("S4", "Seq2"): (6675, 25),
    ("S5", "Seq1"): (12820, 50), ("S5", "Seq2"): (12312, 50),
    ("S6", "Seq1"): (6188, 25), ("S6", "Seq2"): (6145, 25),
    ("S7", "Seq1"): (6239, 25), ("S7", "Seq2"): (6320, 25),
    ("S8", "Seq1"): (6468, 25), ("S8", "Seq2"): (6054, 25),
}  # fmt: skip

# The cameras at the height of chest and knee, which the data set calls those of VNect: what results
# are reported on. The other six look from above, and come in archives of their own.
VNECT_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)

# The video, and the places where programs extract its pictures to: the last is the official
# read-me's, which puts those of all cameras into one folder.
_PICTURES = (
    "imageSequence/video_{}.avi",
    "imageFrames/video_{}",
    "imageSequence/video_{}",
    "video_{}",
    "imageSequence/img_{}_*.jpg",
)

# What scipy raises for a file that is cut off, changed, or of another format; v7.3 is
# NotImplementedError, and an array of a type that nobody knows UnboundLocalError.
_MAT_ERRORS = (
    MatReadError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    UnboundLocalError,
    struct.error,
    zlib.error,
)

_AGAIN = "fetch the take again, and keep annot.mat as it comes (MATLAB v5)"


def list_takes(subjects: list[Path]) -> list[SequenceId]:
    """The VNect cameras of every take whose pictures are there; without any pictures, all."""
    return only_pictured(
        (sequence_of(take, i_camera), pictures_of(take, i_camera))
        for subject in subjects
        for take in sorted(subject.glob("Seq[12]"))
        if (take / "annot.mat").is_file()
        for i_camera in VNECT_CAMERAS
    )


def read_take(
    folder: Path, sequence: SequenceId, every: int, options: DatasetOptions
) -> AnnotatedSequence:
    """One camera of one take."""
    take = sequence.folder
    n_good, fps = FRAMES_AND_FPS[take.parent.name, take.name]
    camera = read_calibration(take / "camera.calibration", sequence.camera_name)
    keypoints, pose_mm = read_annotations(take, sequence.camera_name, options.mpi3dhp_pose)
    footage = look_at(pictures_of(take, int(sequence.camera_name)), camera.image_wh)
    n_frames = common_length(footage, min(n_good, len(keypoints)))
    pose_3d, keypoints = pose_mm[:n_frames:every] / 1000, keypoints[:n_frames:every]
    return AnnotatedSequence(
        id=sequence,
        skeleton=H36M_17,
        subject=take.parent.name,
        action=take.name,
        fps=float(fps),
        source=footage.path.relative_to(folder).as_posix(),
        cameras=[camera] * len(pose_3d),
        person=np.zeros(len(pose_3d), np.int16),
        frame=np.arange(0, n_frames, every),
        keypoints_2d=keypoints,
        pose_3d=pose_3d,
        visible=vouched(keypoints, pose_3d),
        reprojects=options.mpi3dhp_pose == "annot3",
    )


def vouched(keypoints: FloatArray, pose: FloatArray) -> npt.NDArray[np.bool_]:
    """Joints (N, J) that have numbers and lie before the camera; in the picture or beside it."""
    finite = np.isfinite(keypoints).all(axis=-1) & np.isfinite(pose).all(axis=-1)
    return np.asarray(finite & (pose[..., 2] > 0))


def pictures_of(take: Path, i_camera: int) -> Path:
    """The video, folder or pattern of pictures of a camera; where the video belongs, if none is
    there.
    """
    places = [take / place.format(i_camera) for place in _PICTURES]
    return next((place for place in places if is_there(place)), places[0])


def sequence_of(take: Path, i_camera: int) -> SequenceId:
    """One camera of one take."""
    name = f"3dhp/{take.parent.name}/{take.name}/{i_camera}"
    return SequenceId(name, "train", take, str(i_camera))


def read_annotations(take: Path, i_camera: str, pose: str) -> tuple[FloatArray, FloatArray]:
    """2D (F, 17, 2) px and 3D (F, 17, 3) mm of one camera."""
    path = take / "annot.mat"
    try:
        status = path.stat()
        cells = _read_cells(path, pose, (status.st_mtime_ns, status.st_size))
        keypoints, poses = cells[i_camera]
        found = _joints(keypoints, 2), _joints(poses, 3)
        if len(found[0]) != len(found[1]):
            raise ValueError(f"{len(found[0])} rows of 2D for {len(found[1])} of 3D")
    except FileNotFoundError as error:
        raise MissingDataError("no annotations", where=path, hint=_AGAIN) from error
    except _MAT_ERRORS as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise BrokenFileError(
            f"not the annotations of a take: {what}", where=path, hint=_AGAIN
        ) from error
    return found


@functools.lru_cache(maxsize=1)
def _read_cells(path: Path, pose: str, stamp: tuple[int, int]) -> dict[str, tuple[Any, Any]]:
    """The raw `annot2` and `pose` of all cameras by name.

    A take's cameras are read one after another and share a file of up to 300 MB, so the last one
    stays at hand until the file changes (`stamp`).
    """
    names_of_arrays = ["annot2", pose, "cameras"]
    content = scipy.io.loadmat(path, appendmat=False, variable_names=names_of_arrays)
    names = (str(int(number)) for number in content["cameras"].ravel())
    cells = zip(content["annot2"].ravel(), content[pose].ravel(), strict=True)
    return dict(zip(names, cells, strict=True))


def _joints(cell: Any, n_axes: int) -> FloatArray:
    """A camera's numbers (F, 28·D) as Human3.6M's joints (F, 17, D)."""
    points = np.asarray(cell, np.float64).reshape(-1, MPI3DHP_28.n_joints, n_axes)
    return np.asarray(map_joints(points, MPI3DHP_28.name, H36M_17.name), np.float64)
