"""Detections with one NPZ per frame, as the AugLift repository's depth scripts write them.

    <folder>/<job>/<picture>_depth.npz     one folder per job, or any other depth of folders

    keypoints (17, 2) px, keypoints_score (17,), keypoints_depth (17,) m   Human3.6M's joints
    keypoints_depth_exact (17,)            the depth at the joint itself
    summary_casp_descriptor_10d (17, 10)   x, y, confidence, radius, quantiles 10, 25, 50, 75, 90 %,
                                           depth at the joint
    casp_descriptors (17,) of dicts        the same in words: Q10 … Q90, central, radius_used
    rtm_bbox (4,)                          the person's box

A picture is called as that repository calls it (2_3_merge_xycd_npz_*.py), or as MMPose does:

    s_01_act_02_subact_01_ca_01_000001     Human3.6M, frame + 1; or S1_Directions_1.54138969_000001
    S1_Seq1_Cam0_000001, TS1_img_000001    3DHP, frame + 1
    courtyard_00_participant0_frame00000   3DPW, one file per person
    s03_50591643_band_pull_apart_000001    Fit3D, frame + 1

Files are data from elsewhere: what is pickled in them is read without being run.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from auglift.datasets.h36m_cameras import CAMERA_NAMES
from auglift.datasets.h36m_metadata import BUILT_IN_METADATA
from auglift.errors import BrokenFileError, MissingDataError
from auglift.storage.unpickle import load_npz

FloatArray = npt.NDArray[np.float32]

N_JOINTS = 17
_SUFFIX = "_depth"
_PLAIN = ("keypoints", "keypoints_score", "keypoints_depth")
_WORDS = ("Q10", "Q25", "Q50", "Q75", "Q90")


class FrameDetection(NamedTuple):
    """What one file holds."""

    keypoints: FloatArray
    """(17, 2)"""
    score: FloatArray
    """(17,)"""
    summary: FloatArray
    """(17, 10), NaN where the file does not say it."""
    box: FloatArray | None
    """(4,) xyxy."""


# ------------------------------------------------------------------------------------ names


def find_frame_files(folder: Path) -> dict[str, str]:
    """The NPZ files below a folder, by the name of their picture."""
    if not folder.is_dir():
        raise MissingDataError("no such folder of per-frame NPZ files", where=folder)
    return {
        name.removesuffix(".npz").removesuffix(_SUFFIX): os.path.join(parent, name)
        for parent, _, names in sorted(os.walk(folder))
        for name in sorted(names)
        if name.endswith(".npz")
    }


def is_per_person(sequence: str) -> bool:
    """Whether each annotated person has files of its own."""
    return sequence.startswith("3dpw/")


def picture_names(sequence: str, frame: int, person: int) -> Iterator[str]:
    """What the file of a frame may be called, the likeliest first."""
    dataset, *parts = sequence.split("/")
    if dataset == "h36m" and len(parts) == 3:
        subject, take, camera = parts
        number = _h36m_number(subject, take, camera)
        if number:
            yield f"{number}_{frame + 1:06d}"
        yield f"{subject}_{take.replace(' ', '_')}.{camera}_{frame + 1:06d}"
    elif dataset == "3dhp":
        yield _mpi3dhp_name(parts, frame)
    elif dataset == "3dpw":
        yield f"{parts[0]}_participant{person}_frame{frame:05d}"
    elif dataset == "fit3d" and len(parts) == 3:
        subject, action, camera = parts
        yield f"{subject}_{camera}_{action}_{frame + 1:06d}"
    else:
        yield f"{'_'.join(parts).replace(' ', '_')}_{frame:06d}"


def _mpi3dhp_name(parts: list[str], frame: int) -> str:
    if len(parts) == 1:
        return f"{parts[0]}_img_{frame + 1:06d}"
    return "{}_{}_Cam{}_".format(*parts) + f"{frame + 1:06d}"


@lru_cache(maxsize=4096)
def _h36m_number(subject: str, take: str, camera: str) -> str | None:
    """`s_01_act_02_subact_01_ca_01` of S1's `Directions 1` before the first camera."""
    for (who, action, subaction), name in BUILT_IN_METADATA.takes.items():
        if (who, name) == (subject, take) and camera in CAMERA_NAMES:
            i_camera = CAMERA_NAMES.index(camera) + 1
            return f"s_{int(who[1:]):02d}_act_{action:02d}_subact_{subaction:02d}_ca_{i_camera:02d}"
    return None


# ------------------------------------------------------------------------------------ content


def read_frame_file(path: str) -> FrameDetection:
    """One frame's file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {info.filename.removesuffix(".npy") for info in archive.infolist()}
            missing = [name for name in _PLAIN if name not in names]
            if missing:
                raise BrokenFileError(f"no {', '.join(missing)} in it", where=path)
            keypoints = _shaped(_plain(archive, "keypoints"), (N_JOINTS, 2))
            score = _shaped(_plain(archive, "keypoints_score"), (N_JOINTS,))
            summary = _summary(archive, names, path)
            summary[:, :2], summary[:, 2] = keypoints, score
            box = _shaped(_plain(archive, "rtm_bbox"), (4,)) if "rtm_bbox" in names else None
            return FrameDetection(keypoints, score, summary, box)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error,
            NotImplementedError) as error:  # fmt: skip
        raise BrokenFileError(f"not a per-frame NPZ: {error}", where=path) from error


def _summary(archive: zipfile.ZipFile, names: set[str], path: str) -> FloatArray:
    """(17, 10); of files without a descriptor, their one depth in the place of each quantile."""
    if "summary_casp_descriptor_10d" in names:
        try:
            return _shaped(_plain(archive, "summary_casp_descriptor_10d"), (N_JOINTS, 10))
        except ValueError:  # an object array that holds None
            names = names - {"summary_casp_descriptor_10d"}
    depth = _shaped(_plain(archive, "keypoints_depth"), (N_JOINTS,))
    exact = depth
    if "keypoints_depth_exact" in names:
        exact = _shaped(_plain(archive, "keypoints_depth_exact"), (N_JOINTS,))
    summary = np.full((N_JOINTS, 10), np.nan, np.float32)
    summary[:, 4:9], summary[:, 9] = depth[:, None], exact
    if "casp_descriptors" in names:
        words = np.ravel(load_npz(Path(path))["casp_descriptors"])
        for joint, about in zip(summary, words, strict=True):
            if isinstance(about, dict):
                joint[3] = about.get("radius_used", np.nan)
                joint[4:9] = [about.get(word, np.nan) for word in _WORDS]
    return summary


def _plain(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    """An array that is no pickle; all files of a folder have the same few headers."""
    content = archive.read(f"{name}.npy")
    start, dtype, shape = _header(content[: _header_length(content)])
    if dtype.hasobject:
        raise ValueError(f"{name} is an array of objects")
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


def _header_length(content: bytes) -> int:
    """Of an NPY file: magic, version, length and text of the header (numpy.lib.format)."""
    if content[:6] != b"\x93NUMPY" or len(content) < 12:
        raise ValueError("not an array")
    if content[6] == 1:
        return 10 + int.from_bytes(content[8:10], "little")
    return 12 + int.from_bytes(content[8:12], "little")


@lru_cache(maxsize=256)
def _header(content: bytes) -> tuple[int, np.dtype[Any], tuple[int, ...]]:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"format version {version}")
    shape, fortran, dtype = read(file)
    if fortran and len(shape) > 1:
        raise ValueError("an array in Fortran's order")
    return file.tell(), dtype, shape


def _shaped(values: npt.NDArray[Any], shape: tuple[int, ...]) -> FloatArray:
    """A copy of its own; older files have an axis of one person before the joints."""
    if values.shape == (1, *shape):
        values = values[0]
    if values.shape != shape:
        raise ValueError(f"{values.shape} where {shape} is expected")
    return np.array(values, np.float32)
