"""Who is who: against a plain greedy loop, and in the cases that go wrong most easily."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from auglift.detection.likeness import box_iou, true_boxes
from auglift.detection.matching import match_people, picture_numbers
from auglift.errors import UsageError
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.tables import Table

Key = tuple[str, int, int]
Box = tuple[float, float, float, float]


def table(kind: str, keys: list[Key], **columns: np.ndarray) -> Table:
    """Rows in the order of `keys`, which must be sorted."""
    assert keys == sorted(keys)
    sequence, person, frame = zip(*keys, strict=True) if keys else ((), (), ())
    metadata = TableMetadata(
        kind=kind, skeleton="h36m_17", detector_skeleton="coco_17", fps=25.0, distortion="none"
    )
    keys_ = {
        "sequence": np.array(sequence, object),
        "person": np.array(person, np.int16),
        "frame": np.array(frame, np.int32),
    }
    return Table(metadata, keys_ | columns)


def annotated(people: dict[Key, Box]) -> Table:
    """Two visible joints at the corners of each box, the others unknown."""
    points = np.full((len(people), 17, 2), np.nan, np.float32)
    if people:
        points[:, [3, 9]] = np.array(list(people.values())).reshape(-1, 2, 2)
    visible = np.isfinite(points).all(axis=-1)
    return table("annotations", list(people), keypoints_2d=points, visible=visible)


def detected(people: dict[Key, Box | None], confidence: list[float] | None = None) -> Table:
    """Detections with these boxes; None is a frame without anybody."""
    boxes = np.array([box or [np.nan] * 4 for box in people.values()], np.float32).reshape(-1, 4)
    there = np.array([box is not None for box in people.values()], bool)
    sure = np.ones(len(people)) if confidence is None else np.array(confidence)
    return table(
        "detections",
        list(people),
        box_xyxy=boxes,
        detected=there,
        confidence=np.repeat(sure[:, None], 17, axis=1).astype(np.float32),
        joint_confidence=np.repeat(sure[:, None], 17, axis=1).astype(np.float32),
        depth_valid=np.repeat(there[:, None], 17, axis=1),
    )


def shifted(box: Box, by: float) -> Box:
    return (box[0] + by, box[1], box[2] + by, box[3])


BOX: Box = (100, 100, 140, 200)


def test_two_people_who_cross_keep_their_own() -> None:
    truth, found = {}, {}
    for frame in range(21):
        left, right = shifted(BOX, 4.0 * frame), shifted(BOX, 80 - 4.0 * frame)
        truth |= {("a", 0, frame): left, ("a", 1, frame): right}
        # The detector lists the right-hand one first, and is a pixel off.
        first, second = (left, right) if left[0] > right[0] else (right, left)
        found |= {("a", 0, frame): shifted(first, 1), ("a", 1, frame): shifted(second, 1)}
    truth, found = dict(sorted(truth.items())), dict(sorted(found.items()))
    boxes = list(found.values())
    chosen = match_people(annotated(truth), detected(found), "iou", 0.1)
    for (key, box), row in zip(truth.items(), chosen, strict=True):
        if key[2] != 10:  # where both are in the same place, nobody can tell
            assert boxes[row] == shifted(box, 1), key
    assert sorted(chosen) == list(range(42))


def test_the_better_fit_keeps_a_detection_and_the_other_takes_the_next() -> None:
    truth = {("a", 0, 0): BOX, ("a", 1, 0): shifted(BOX, 10)}
    # Both overlap the first detection most; person 1 fits it better.
    found = {("a", 0, 0): shifted(BOX, 9), ("a", 1, 0): shifted(BOX, -20)}
    assert match_people(annotated(truth), detected(found), "iou", 0.1).tolist() == [1, 0]
    # With only one detection the other goes without.
    del found["a", 1, 0]
    assert match_people(annotated(truth), detected(found), "iou", 0.1).tolist() == [-1, 0]


def test_detections_of_other_pictures_and_of_nobody_do_not_count() -> None:
    truth = {("a", 0, 3): BOX, ("a", 0, 5): BOX, ("b", 0, 3): BOX}
    found = {("a", 0, 4): BOX, ("a", 0, 5): None, ("c", 0, 3): BOX}
    assert match_people(annotated(truth), detected(found), "iou", 0.0).tolist() == [-1, -1, -1]


def test_little_overlap_is_somebody_else() -> None:
    truth, found = {("a", 0, 0): BOX}, {("a", 0, 0): shifted(BOX, 30)}
    iou = 10 / 70
    assert match_people(annotated(truth), detected(found), "iou", iou - 0.01).tolist() == [0]
    assert match_people(annotated(truth), detected(found), "iou", iou + 0.01).tolist() == [-1]


def test_best_takes_the_surest_wherever_it_is() -> None:
    truth = {("a", 0, 0): BOX, ("a", 0, 1): BOX, ("a", 0, 2): BOX}
    found = {
        ("a", 0, 0): BOX,
        ("a", 0, 1): shifted(BOX, 900),
        ("a", 0, 2): None,
        ("a", 1, 0): shifted(BOX, 900),
    }
    table_of_found = detected(found, confidence=[0.5, 0.1, 0.0, 0.6])
    assert match_people(annotated(truth), table_of_found, "best").tolist() == [3, 1, -1]


def test_best_is_refused_where_several_are_annotated() -> None:
    truth = annotated({("a", 0, 0): BOX, ("b", 0, 7): BOX, ("b", 1, 7): BOX})
    with pytest.raises(UsageError, match="but 2 are annotated in frame 7 of 'b'") as caught:
        match_people(truth, detected({("a", 0, 0): BOX}), "best")
    assert "--match iou" in caught.value.hint


def test_nobody_annotated_and_nobody_detected() -> None:
    some = {("a", 0, 0): BOX}
    assert match_people(annotated({}), detected(some), "iou").tolist() == []
    assert match_people(annotated(some), detected({}), "iou").tolist() == [-1]
    assert match_people(annotated(some), detected({("a", 0, 0): None}), "best").tolist() == [-1]


lengths = st.integers(1, 4000).map(lambda n: n / 100)
boxes = st.tuples(lengths, lengths, lengths, lengths).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
people = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers(0, 2)), boxes, max_size=12
).map(lambda found: dict(sorted(found.items())))


@settings(deadline=None, max_examples=50)
@given(truth=people, found=people, min_iou=st.sampled_from([0.05, 0.3]))
def test_as_a_plain_greedy_loop(
    truth: dict[Key, Box], found: dict[Key, Box], min_iou: float
) -> None:
    chosen = match_people(annotated(truth), detected(found), "iou", min_iou)
    pairs = []
    for (i, (a, box)), (j, (b, other)) in itertools.product(
        enumerate(truth.items()), enumerate(found.items())
    ):
        iou = plain_iou(np.float32(box), np.float32(other))
        if a[0] == b[0] and a[2] == b[2] and iou >= min_iou:
            pairs.append((iou, i, j))
    assume(len({iou for iou, *_ in pairs}) == len(pairs))  # of equals, either may come first
    greedy = dict.fromkeys(range(len(truth)), -1)
    for _, i, j in sorted(pairs, reverse=True):
        if greedy[i] < 0 and j not in greedy.values():
            greedy[i] = j
    assert chosen.tolist() == list(greedy.values())


def plain_iou(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return float(width * height / union)


def test_boxes_without_area_overlap_nothing() -> None:
    nan = np.full(4, np.nan)
    point = np.array([5.0, 5, 5, 5])
    assert box_iou(nan, np.array(BOX)) == 0
    assert box_iou(point, point) == 0
    assert box_iou(np.array(BOX), np.array(BOX)) == 1


def test_the_true_box_is_around_the_visible_joints() -> None:
    truth = annotated({("a", 0, 0): BOX, ("a", 0, 1): BOX})
    truth["visible"][1] = False
    found = true_boxes(truth)
    assert found[0].tolist() == list(BOX)
    assert np.isnan(found[1]).all()


def test_the_same_picture_has_the_same_number() -> None:
    truth = annotated({("a", 0, 0): BOX, ("a", 1, 0): BOX, ("b", 0, 0): BOX, ("b", 0, 1): BOX})
    found = detected({("b", 0, 1): BOX, ("b", 3, 0): BOX})
    of_truth, of_found = picture_numbers(truth, found)
    assert of_truth[0] == of_truth[1]
    assert len(set(of_truth)) == 3
    assert of_found.tolist() == [of_truth[3], of_truth[2]]
