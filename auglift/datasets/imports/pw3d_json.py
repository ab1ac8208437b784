"""3DPW as 3DMPPE, HybrIK and their kin have it: `3DPW_{train,validation,test}.json`.

    {"images": [{"id", "file_name": "image_00000.jpg", "sequence", "frame_idx", "width", "height",
                 "cam_param": {"focal": [fx, fy], "princpt": [cx, cy]}}],
     "annotations": [{"image_id", "person_id", "joint_cam": 24 × [x, y, z] metres, camera axes}]}

The joints are SMPL's 24; how they become Human3.6M's is `DatasetOptions.pw3d_joints`, a or b. The
2D is their projection, as for 3DPW's own files: what else these hold is somebody's detection.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from auglift.datasets.imports.flat import Opened, Rows, Take, annotated, opened, rows_of
from auglift.datasets.options import DatasetOptions
from auglift.datasets.pw3d import FPS, JOINT_MAPS, action_of
from auglift.datasets.sequence import AnnotatedSequence
from auglift.errors import BrokenFileError, UsageError
from auglift.geometry.camera import Camera
from auglift.geometry.joint_maps import map_joints
from auglift.geometry.skeleton import H36M_17, SMPL_24


def recognises(path: Path) -> bool:
    """COCO's form, with what COCO has not."""
    if path.suffix != ".json":
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        start = file.read(20_000)
    return start.lstrip().startswith("{") and ('"cam_param"' in start or '"joint_cam"' in start)


def dataset(path: Path) -> str:
    """The only dataset that is known to come so."""
    return "3dpw"


def open_file(path: Path, options: DatasetOptions) -> Opened:
    """People by the sequence of their picture; split by the file's name."""
    if options.pw3d_joints not in JOINT_MAPS:
        raise UsageError(
            "joints of variant c come from SMPL's surface, which this file has not",
            where=path,
            hint="--set options.pw3d_joints=a, or read sequenceFiles/",
        )
    split = next((one for one in ("train", "val") if one in path.stem.lower()), "test")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        images = {image["id"]: image for image in content["images"]}
        people = [(images[one["image_id"]], one) for one in content["annotations"]]
        labels = np.array([image["sequence"] for image, _ in people], np.str_)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(path, error) from error
    sequences = {}
    for label, rows in rows_of(labels).items():
        take = Take(f"3dpw/{label}", split, label, action_of(label), "phone",
                    f"imageFiles/{label}", FPS)  # fmt: skip
        ours = [people[i] for i in rows]
        read = partial(_read, path, take, ours, JOINT_MAPS[options.pw3d_joints])
        sequences[take.name] = opened(take, path, read)
    return Opened(sequences)


def _read(
    path: Path, take: Take, people: list[tuple[dict[str, Any], dict[str, Any]]], way: str
) -> AnnotatedSequence:
    try:
        joints = np.array([one["joint_cam"] for _, one in people], np.float64)
        joints = joints.reshape(-1, SMPL_24.n_joints, 3)
        frame = np.array([int(image["frame_idx"]) for image, _ in people])
        person = np.array([int(one.get("person_id", 0)) for _, one in people])
        cameras = [_camera(image) for image, _ in people]
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(path, error) from error
    pose_3d = np.asarray(map_joints(joints, SMPL_24.name, H36M_17.name, way), np.float64)
    rows = Rows(frame, None, pose_3d, np.ones(pose_3d.shape[:2], bool), person)
    return annotated(take, path, H36M_17, rows, cameras)


def _camera(image: dict[str, Any]) -> Camera:
    lens = image["cam_param"]
    return Camera(
        (int(image["width"]), int(image["height"])),
        np.array(lens["focal"], np.float64).reshape(2),
        np.array(lens["princpt"], np.float64).reshape(2),
    )


def _broken(path: Path, error: Exception) -> BrokenFileError:
    return BrokenFileError(
        f"not the JSON of 3DPW: {type(error).__name__} {error}",
        where=path,
        hint="3DPW_train.json, 3DPW_validation.json and 3DPW_test.json are such files",
    )
