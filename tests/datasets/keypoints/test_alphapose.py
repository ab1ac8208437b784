"""AlphaPose's own list, and GAST-Net's frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from auglift.datasets.keypoints.alphapose import is_results, parse_results
from auglift.datasets.keypoints.clip import KeypointClip, assemble
from auglift.datasets.keypoints.gastnet import parse_demo
from auglift.datasets.keypoints.numbering import frame_numbers
from auglift.errors import DataError

RNG = np.random.default_rng(0)


def places(n_joints: int = 17) -> np.ndarray:
    return RNG.uniform(10, 400, (n_joints, 2)).round(2)


def an_entry(name: Any, points: np.ndarray, **more: Any) -> dict[str, Any]:
    flat = np.column_stack([points, np.full(len(points), 0.5)]).ravel().tolist()
    return {"image_id": name, "category_id": 1, "keypoints": flat, "score": 2.9,
            "box": [1.0, 2.0, 30.0, 40.0], **more}  # fmt: skip


def clip(entries: list[Any]) -> KeypointClip:
    return assemble(parse_results(entries), "AlphaPose", image_wh=(640, 480))


def test_pictures_names_give_the_frames() -> None:
    late, early, other = places(), places(), places()
    found = clip([an_entry("10.jpg", late), an_entry("2.jpg", early), an_entry("2.jpg", other)])
    np.testing.assert_array_equal(found.frame, [2, 2, 10])
    np.testing.assert_array_equal(found.keypoints_2d, [early, other, late])
    np.testing.assert_array_equal(found.box_xyxy[0], [1, 2, 31, 42])
    assert found.score[0] == 2.9


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["a_2.jpg", "a_10.jpg"], [2, 10]),
        (["2_walk.png", "10_walk.png"], [2, 10]),
        (["cat.jpg", "ant.jpg"], [1, 0]),
        (["img2_v1.jpg", "img10_v1.jpg"], [0, 1]),
        (["x" + "9" * 40 + ".jpg", "x1.jpg"], [1, 0]),
    ],
)
def test_a_name_without_a_number_of_its_own_counts_by_order(
    names: list[str], numbers: list[int]
) -> None:
    found = frame_numbers(names)
    assert [found[name] for name in names] == numbers


def test_26_joints_are_halpes_and_the_first_26_of_136_too() -> None:
    points = places(136)
    whole, body = clip([an_entry("0.jpg", points)]), clip([an_entry("0.jpg", points[:26])])
    assert whole.skeleton == body.skeleton == "halpe_26"
    np.testing.assert_array_equal(whole.keypoints_2d, body.keypoints_2d)


def test_idx_numbers_people_as_a_number_or_a_list() -> None:
    found = clip([an_entry("0.jpg", places(), idx=[2.0]), an_entry("1.jpg", places(), idx=1)])
    assert found.person is not None
    np.testing.assert_array_equal(found.person, [2, 1])


@pytest.mark.parametrize("idx", [0, [0.0], [1.0, 2.0]])
def test_idx_of_nobody_in_particular_numbers_nobody(idx: Any) -> None:
    assert clip([an_entry("0.jpg", places(), idx=idx)]).person is None


def test_cocos_pictures_have_numbers_there_too() -> None:
    assert is_results([an_entry(139, places())])
    assert clip([an_entry(139, places())]).frame.tolist() == [139]
    with pytest.raises(DataError, match=r"\[0\].image_id is null where a picture's name"):
        clip([an_entry(None, places())])


def a_frame(index: int, *people: tuple[np.ndarray, Any]) -> dict[str, Any]:
    skeleton = [{"pose": p.ravel().tolist(), "score": s, "bbox": "?"} for p, s in people]
    return {"frame_index": index, "skeleton": skeleton}


@pytest.mark.parametrize("score", [[[0.5] * 17], [0.5] * 17, [[0.5]] * 17])
def test_gastnets_score_is_read_however_it_is_nested(score: Any) -> None:
    points = places()
    data = [a_frame(3), a_frame(1, (points, score))]
    parsed = parse_demo({"label": "x", "label_index": 0, "data": data})
    found = assemble(parsed, "GAST-Net", image_wh=(640, 480))
    np.testing.assert_array_equal(found.frames, [0, 2])
    np.testing.assert_array_equal(found.keypoints_2d, [points])
    np.testing.assert_array_equal(found.confidence, np.full((1, 17), 0.5))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([a_frame(1), a_frame(1)], "2 entries have frame_index 1"),
        ([a_frame(1, (places(), [0.5] * 16))], "16 numbers for 17 joints"),
        ([{"frame_index": 1, "skeleton": [{"pose": [1.0] * 33}]}], "33 numbers, not two"),
        ([{"frame_index": None, "skeleton": []}], r"data\[0\].frame_index"),
    ],
)
def test_gastnets_faults_are_named(data: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_demo({"label_index": 0, "data": data})
