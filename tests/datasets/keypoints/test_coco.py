"""COCO's two forms, written here by their published description."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from auglift.datasets.keypoints.clip import KeypointClip, assemble
from auglift.datasets.keypoints.coco import parse_annotations, parse_results
from auglift.errors import AugliftError, DataError
from auglift.geometry.skeleton import COCO_17, H36M_17

RNG = np.random.default_rng(0)
N = COCO_17.n_joints


def flat(points: np.ndarray, third: Any) -> list[float]:
    return np.column_stack([points, np.broadcast_to(third, len(points))]).ravel().tolist()


def a_result(image_id: int, points: np.ndarray, score: float = 0.9) -> dict[str, Any]:
    return {
        "image_id": image_id, "category_id": 1, "keypoints": flat(points, 0.5), "score": score,
    }  # fmt: skip


def an_annotation(image_id: int, points: np.ndarray, third: Any = 2) -> dict[str, Any]:
    return {
        "id": 1, "image_id": image_id, "category_id": 1, "iscrowd": 0, "area": 1.0,
        "keypoints": flat(points, third), "num_keypoints": 17, "bbox": [1.0, 2.0, 30.0, 40.0],
    }  # fmt: skip


def annotation_file(annotations: list[Any], names: tuple[str, ...] = (), **image: Any) -> Any:
    sizes = {"width": 640, "height": 480, **image}
    images = [{"id": 10 + i, "file_name": f"{i}.jpg", **sizes} for i in (10, 2, 1)]
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(names), "skeleton": []}],
    }


def results(entries: Any, **options: Any) -> KeypointClip:
    return assemble(parse_results(entries), "COCO results", **{"image_wh": (640, 480), **options})


def annotations(tree: Any, **options: Any) -> KeypointClip:
    return assemble(parse_annotations(tree), "COCO annotations", **options)


def places() -> np.ndarray:
    return RNG.uniform(10, 400, (N, 2)).round(2)


def test_results_are_sorted_by_image_and_keep_places_and_scores() -> None:
    late, early = places(), places()
    clip = results([a_result(7, late, 0.3), a_result(4, early, 0.6)])
    assert (clip.skeleton, clip.image_wh) == ("coco_17", (640, 480))
    np.testing.assert_array_equal(clip.frame, [4, 7])
    np.testing.assert_array_equal(clip.frames, [4, 7])
    np.testing.assert_array_equal(clip.keypoints_2d, [early, late])
    np.testing.assert_array_equal(clip.confidence, np.full((2, N), 0.5))
    np.testing.assert_array_equal(clip.score, [0.6, 0.3])


def test_without_a_box_it_is_that_of_the_joints() -> None:
    points = places()
    clip = results([a_result(0, points)])
    np.testing.assert_array_equal(clip.box_xyxy[0], [*points.min(axis=0), *points.max(axis=0)])


@pytest.mark.parametrize("nothing", [[0, 0, 0], [float("nan"), 5.0, 0.9], [None, None, None]])
def test_what_is_left_out_is_missing(nothing: list[Any]) -> None:
    points = places()
    entry = a_result(0, points)
    entry["keypoints"][6:9] = nothing
    clip = results([entry])
    assert np.isnan(clip.keypoints_2d[0, 2]).all()
    assert clip.confidence[0, 2] == 0.0
    assert np.isfinite(np.delete(clip.keypoints_2d[0], 2, axis=0)).all()


def test_annotations_take_frames_from_the_names_in_natural_order() -> None:
    """Names 10, 2, 1 are frames 2, 1, 0; the second is empty."""
    first, last = places(), places()
    clip = annotations(annotation_file([an_annotation(20, last), an_annotation(11, first)]))
    np.testing.assert_array_equal(clip.frames, [0, 1, 2])
    np.testing.assert_array_equal(clip.frame, [0, 2])
    np.testing.assert_array_equal(clip.keypoints_2d, [first, last])
    np.testing.assert_array_equal(clip.box_xyxy[0], [1, 2, 31, 42])
    assert clip.image_wh == (640, 480)


def test_the_files_own_size_goes_before_the_option() -> None:
    assert annotations(annotation_file([]), image_wh=(5, 5)).image_wh == (640, 480)


def test_visibility_becomes_confidence() -> None:
    third = np.full(N, 2)
    third[3], third[4] = 0, 1
    clip = annotations(annotation_file([an_annotation(11, places(), third)]))
    expected = np.ones(N)
    expected[3] = 0.0
    np.testing.assert_array_equal(clip.confidence[0], expected)
    assert np.isnan(clip.keypoints_2d[0, 3]).all()
    assert np.isfinite(clip.keypoints_2d[0, 4]).all()


def test_confidences_where_visibilities_should_be_are_kept() -> None:
    third = np.linspace(0.1, 1.0, N)
    clip = annotations(annotation_file([an_annotation(11, places(), third)]))
    np.testing.assert_allclose(clip.confidence[0], third)


def test_crowds_and_things_without_joints_are_no_people() -> None:
    crowd = {**an_annotation(11, places()), "iscrowd": 1}
    thing = {"id": 3, "image_id": 11, "category_id": 2, "bbox": [0, 0, 5, 5]}
    clip = annotations(annotation_file([crowd, thing, an_annotation(12, places())]))
    np.testing.assert_array_equal(clip.frame, [1])


def test_a_person_without_joints_keeps_his_box_and_one_without_both_is_gone() -> None:
    nowhere = np.zeros((N, 2))
    boxed = an_annotation(11, nowhere, 0)
    clip = annotations(annotation_file([boxed, {**boxed, "image_id": 12, "bbox": [0, 0, 0, 0]}]))
    np.testing.assert_array_equal(clip.frame, [0])
    assert np.isnan(clip.keypoints_2d).all()


def test_the_categorys_names_say_what_the_joints_are() -> None:
    tree = annotation_file([an_annotation(11, places())], H36M_17.joints)
    assert annotations(tree).skeleton == "h36m_17"
    assert annotations(tree, skeleton="coco_17").skeleton == "coco_17"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": [1.0] * 50}, "50 numbers, not three"),
        ({"keypoints": [1.0] * 75}, r"25 joints, and no name"),
        ({"keypoints": [[1.0, 2.0, 3.0]] * 17}, r"keypoints\[0\] is a list of 3"),
        ({"keypoints": "1 2 3"}, "the text '1 2 3'"),
        ({"keypoints": [1.0, "2", 3.0] * 17}, r"keypoints\[1\] is the text '2'"),
        ({"keypoints": [True] * 51}, r"keypoints\[0\] is true"),
        ({"keypoints": [1e30] * 51}, "no pixel's place"),
        ({"keypoints": [10**400] * 51}, "more than 300 digits"),
        ({"image_id": "0.jpg"}, r"image_id is the text '0.jpg'"),
        ({"image_id": 1.5}, "a whole number"),
        ({"bbox": [1, 2, 3]}, "3 numbers, not x, y, width, height"),
        ({"score": []}, "score is an empty list"),
    ],
)
def test_wrong_results_are_refused_by_place(change: dict[str, Any], message: str) -> None:
    entries = [a_result(0, places()), {**a_result(1, places()), **change}]
    with pytest.raises(DataError, match=message) as caught:
        results(entries)
    assert "[1]" in str(caught.value)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (annotation_file([an_annotation(99, np.ones((N, 2)))]), "no image 99"),
        (annotation_file([{"id": 1, "image_id": 11, "bbox": [0, 0, 1, 1]}]), "has keypoints"),
        (annotation_file([], width=0), "0 × 480"),
        (annotation_file([], file_name="x", id=3), "same id"),
        (annotation_file([], names=("tail", "beak")), "unknown joint set: tail, beak"),
        ({**annotation_file([]), "images": {}}, "images is an empty object"),
    ],
)
def test_wrong_annotations_are_refused(tree: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        annotations(tree)


def test_images_of_several_sizes_are_no_clip() -> None:
    tree = annotation_file([])
    tree["images"][1]["width"] = 320
    with pytest.raises(DataError, match="2 different sizes: 320 × 480, 640 × 480"):
        annotations(tree)


def test_the_size_must_be_said_once() -> None:
    with pytest.raises(AugliftError) as caught:
        results([a_result(0, places())], image_wh=None)
    assert "--image-wh" in caught.value.hint
