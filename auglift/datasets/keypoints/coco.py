"""COCO's two forms: results of a detector, and annotations.

    results:      [{image_id, category_id, keypoints: [x, y, s, …], score}, …]
    annotations:  {images: [{id, file_name, width, height}], annotations: [{image_id, keypoints:
                  [x, y, v, …], bbox: [x, y, w, h]}], categories: [{keypoints: [names]}]}

In results the third number is a confidence, and `image_id` is the frame's number. In annotations
it is a visibility (0 not labelled, 1 hidden, 2 visible), and the frames are the images in the
natural order of their names. Whoever writes predictions in the second form puts confidences there:
a file in which other numbers than 0, 1 and 2 stand holds those.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.datasets.keypoints.clip import Parsed, Person2d, skeleton_named
from auglift.datasets.keypoints.json_values import (
    as_corners,
    as_list,
    as_number,
    as_object,
    as_triples,
    as_whole,
)
from auglift.datasets.keypoints.numbering import natural
from auglift.errors import DataError

FloatArray = npt.NDArray[np.float64]


def parse_results(tree: Any) -> Parsed:
    """People of a list of results."""
    people = []
    for i, item in enumerate(as_list(tree, "the file")):
        at = f"[{i}]"
        entry = as_object(item, at)
        frame = as_whole(entry.get("image_id"), f"{at}.image_id")
        people.append(_person(entry, frame, at))
    return Parsed(people, frames=[])


def parse_annotations(tree: Any) -> Parsed:
    """People of an annotation file; its images give frames and picture size."""
    file = as_object(tree, "the file")
    images = [
        as_object(image, f"images[{i}]")
        for i, image in enumerate(as_list(file.get("images"), "images"))
    ]
    frame_of = _frames(images)
    people = []
    for i, item in enumerate(as_list(file["annotations"], "annotations")):
        at = f"annotations[{i}]"
        entry = as_object(item, at)
        # Crowds are regions; things have boxes only.
        if entry.get("iscrowd") or "keypoints" not in entry:
            continue
        image_id = as_whole(entry.get("image_id"), f"{at}.image_id")
        if image_id not in frame_of:
            raise DataError(f"{at}: images holds no image {image_id}")
        people.append(_person(entry, frame_of[image_id], at))
    if file["annotations"] and not people:
        raise DataError("none of the annotations has keypoints")
    return Parsed(
        _with_visibility_as_confidence(people),
        frames=list(frame_of.values()),
        image_wh=_picture_size(images),
        skeleton=_joint_set(file),
    )


def _person(entry: dict[str, Any], frame: int, at: str) -> Person2d:
    triples = as_triples(entry.get("keypoints"), f"{at}.keypoints")
    score = as_number(entry["score"], f"{at}.score") if "score" in entry else 1.0
    box = as_corners(entry.get("bbox"), f"{at}.bbox")
    return Person2d(at, frame, triples[:, :2], triples[:, 2], box_xyxy=box, score=score)


def _frames(images: list[dict[str, Any]]) -> dict[int, int]:
    """Image id → frame number, in the order of names; of ids where there are none."""
    keyed = []
    for i, image in enumerate(images):
        number = as_whole(image.get("id"), f"images[{i}].id")
        keyed.append((natural(str(image.get("file_name", ""))), number))
    ids = [number for _, number in sorted(keyed)]
    if len(set(ids)) < len(ids):
        raise DataError("two images have the same id")
    return {number: frame for frame, number in enumerate(ids)}


def _picture_size(images: list[dict[str, Any]]) -> tuple[int, int] | None:
    """The one size of all pictures; None where the file does not say it."""
    sizes = set()
    for i, image in enumerate(images):
        if "width" in image and "height" in image:
            width, height = (as_whole(image[key], f"images[{i}].{key}") for key in
                             ("width", "height"))  # fmt: skip
            if width < 1 or height < 1:
                raise DataError(f"images[{i}] is {width} × {height} pixels large")
            sizes.add((width, height))
    if len(sizes) > 1:
        few = ", ".join(f"{width} × {height}" for width, height in sorted(sizes)[:3])
        raise DataError(
            f"the images have {len(sizes)} different sizes: {few}, …",
            hint="a clip has one size; give a file for each clip",
        )
    return next(iter(sizes), None)


def _joint_set(file: dict[str, Any]) -> str | None:
    """The joint set by the names that the first category with keypoints lists."""
    for i, item in enumerate(as_list(file.get("categories", []), "categories")):
        names = as_object(item, f"categories[{i}]").get("keypoints")
        if names:
            at = f"categories[{i}].keypoints"
            return skeleton_named([str(name) for name in as_list(names, at)], at)
    return None


def _with_visibility_as_confidence(people: list[Person2d]) -> list[Person2d]:
    """1 for every labelled joint, unless the third numbers are confidences already."""
    thirds = np.concatenate([person.confidence for person in people] or [np.zeros(0)])
    if not np.isin(thirds[np.isfinite(thirds)], (0, 1, 2)).all():
        return people
    labelled = []
    for person in people:
        is_labelled = person.confidence > 0
        keypoints = np.where(is_labelled[:, None], person.keypoints_2d, np.nan)
        confidence = is_labelled.astype(np.float64)
        labelled.append(
            Person2d(person.at, person.frame, keypoints, confidence, person.box_xyxy, person.score)
        )
    return labelled
