"""RTMDet's geometry and thresholds, on a network that sees red rectangles, and on the real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auglift.detection.people import MEAN_BGR, STD_BGR, PersonDetector, letterbox
from auglift.errors import DataError, ModelError
from auglift.storage.onnx_session import open_model

INPUT_WH = (320, 320)


class Network:
    """Stands in for an opened graph: `answer` maps the input tensor to the outputs."""

    path = Path("network.onnx")
    has_own_memory = wants_one_batch = False

    def __init__(self, answer, outputs, wh=INPUT_WH, batch=None):
        self.inputs = {"input": ((batch, 3, wh[1], wh[0]), np.dtype(np.float32))}
        self.outputs = outputs
        self.batches = []
        self._answer = answer

    def run(self, feeds):
        self.batches.append(len(feeds["input"]))
        return self._answer(feeds["input"])


RAW = {
    "y.24": ((None, None, 4), np.dtype(np.float32)),
    "1403": ((None, None, 1), np.dtype(np.float32)),
}
DETS = {
    "dets": ((None, None, None), np.dtype(np.float32)),
    "labels": ((None, None), np.dtype(np.int64)),
}


def redness(tensor):
    """What the network's input says about red (B, H, W): 1 where (R, G, B) = (255, 0, 0)."""
    mean, std = (np.reshape(v, (3, 1, 1)) for v in (MEAN_BGR, STD_BGR))
    blue, _, red = np.moveaxis(tensor * std + mean, 1, 0)
    return np.clip((red - blue) / 255, 0, 1)


def red_boxes(tensor):
    """The red rectangle of each input as a box (B, 4), its sides where redness is half."""
    boxes = []
    for red in redness(tensor):
        sides = []
        for axis in (0, 1):
            profile = red.max(axis=axis)
            centre = (profile * (np.arange(len(profile)) + 0.5)).sum() / max(profile.sum(), 1e-6)
            sides.append((centre - profile.sum() / 2, centre + profile.sum() / 2))
        (x1, x2), (y1, y2) = sides
        boxes.append((x1, y1, x2, y2))
    return np.array(boxes, np.float32)


def see_red_raw(tensor):
    boxes = red_boxes(tensor)[:, None]
    return {"y.24": boxes, "1403": redness(tensor).max(axis=(1, 2))[:, None, None]}


def see_red_dets(tensor):
    raw = see_red_raw(tensor)
    dets = np.concatenate([raw["y.24"], raw["1403"]], axis=2).astype(np.float32)
    return {"dets": dets, "labels": np.zeros(dets.shape[:2], np.int64)}


def rectangle(wh, box, soft_px=30):
    """A red rectangle with soft sides, so that coarse sampling still knows where it is."""
    masks = []
    for length, low, high in ((wh[0], box[0], box[2]), (wh[1], box[1], box[3])):
        centres = np.arange(length) + 0.5
        masks.append(np.clip(np.minimum(centres - low, high - centres) / soft_px + 0.5, 0, 1))
    picture = np.zeros((wh[1], wh[0], 3), np.uint8)
    picture[..., 0] = np.rint(255 * np.minimum(masks[1][:, None], masks[0][None, :]))
    return picture


def fixed(boxes, scores, labels=None):
    """A network that answers the same boxes (network pixels) whatever it sees."""
    boxes, scores = np.float32(boxes).reshape(1, -1, 4), np.float32(scores).reshape(1, -1, 1)
    if labels is None:
        return Network(lambda tensor: {"y.24": boxes, "1403": scores}, RAW)
    dets = np.concatenate([boxes, scores], axis=2)
    return Network(lambda tensor: {"dets": dets, "labels": np.array([labels])}, DETS)


def black(width, height):
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize("kind", ["raw", "dets"])
@pytest.mark.parametrize("input_wh", [(320, 320), (640, 384)])
@pytest.mark.parametrize(
    ("wh", "box"),
    [
        ((640, 480), (100.0, 80.0, 300.0, 400.0)),
        ((480, 640), (33.3, 401.5, 201.0, 600.2)),  # portrait
        ((1920, 1080), (1000.0, 100.0, 1400.0, 900.0)),
        ((427, 1011), (60.0, 500.0, 350.0, 960.0)),
        ((150, 200), (20.0, 30.0, 120.0, 170.0)),  # enlarged
    ],
)
def test_box_comes_back_to_where_the_rectangle_is(kind, input_wh, wh, box):
    answer, outputs = (see_red_raw, RAW) if kind == "raw" else (see_red_dets, DETS)
    detector = PersonDetector(Network(answer, outputs, input_wh))
    (people,) = detector.detect([rectangle(wh, box)])
    assert len(people) == 1
    np.testing.assert_allclose(people.boxes_xyxy[0], box, atol=0.1)
    assert people.boxes_xyxy.dtype == people.scores.dtype == np.float32


def test_letterbox_rounds_as_mmcv_and_pads_bottom_right():
    picture = np.full((427, 640, 3), 200, np.uint8)
    canvas, scale = letterbox(picture, (320, 320))
    assert canvas.shape == (320, 320, 3)
    assert (canvas[:214] == 200).all()  # 427 · 0.5 = 213.5, rounded up
    assert (canvas[214:] == 114).all()
    np.testing.assert_allclose(scale, [0.5, 214 / 427], rtol=1e-6)
    portrait, scale = letterbox(picture.transpose(1, 0, 2), (320, 320))
    np.testing.assert_array_equal(portrait, canvas.transpose(1, 0, 2))
    np.testing.assert_allclose(scale, [214 / 427, 0.5], rtol=1e-6)


def test_network_sees_bgr_normalised_with_grey_padding():
    seen = []

    def look(tensor):
        seen.append(tensor)
        return see_red_raw(tensor)

    picture = np.empty((160, 320, 3), np.uint8)
    picture[:] = (10, 20, 30)
    PersonDetector(Network(look, RAW)).detect([picture])
    (tensor,) = seen[0]
    expected = (np.array([30, 20, 10]) - MEAN_BGR) / STD_BGR
    np.testing.assert_allclose(tensor[:, 0, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(tensor[:, 319, 319], (114 - np.array(MEAN_BGR)) / STD_BGR, rtol=1e-5)


def test_raw_heads_are_batched_and_dets_are_not():
    pictures = [rectangle((400, 300), (50 + 20 * i, 60, 250, 200)) for i in range(3)]
    raw, dets = Network(see_red_raw, RAW), Network(see_red_dets, DETS)
    together = PersonDetector(raw, batch=2).detect(pictures)
    singly = PersonDetector(dets).detect(pictures)
    assert raw.batches == [2, 1]
    assert dets.batches == [1, 1, 1]
    for one, other in zip(together, singly, strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)


def test_pictures_of_several_sizes_share_a_batch():
    network = Network(see_red_raw, RAW)
    boxes = [(50, 60, 250, 200), (20, 300, 180, 600)]
    pictures = [rectangle((400, 300), boxes[0]), rectangle((200, 700), boxes[1])]
    found = PersonDetector(network).detect(pictures)
    assert network.batches == [2]
    np.testing.assert_allclose([p.boxes_xyxy[0] for p in found], boxes, atol=0.35)


def test_fixed_batch_is_filled_up():
    network = Network(see_red_raw, RAW, batch=2)
    pictures = [rectangle((400, 300), (50 + 20 * i, 60, 250, 200)) for i in range(3)]
    found = PersonDetector(network).detect(pictures)
    assert network.batches == [2, 2]
    assert len(found) == 3
    np.testing.assert_allclose(found[2].boxes_xyxy, [[90, 60, 250, 200]], atol=0.35)


def test_nobody_is_empty_arrays():
    (people,) = PersonDetector(Network(see_red_raw, RAW)).detect([black(64, 48)])
    assert people.boxes_xyxy.shape == (0, 4)
    assert people.scores.shape == (0,)
    (people,) = PersonDetector(fixed([], [], labels=[])).detect([black(64, 48)])
    assert len(people) == 0
    assert PersonDetector(fixed([], [])).detect([]) == []


def test_only_the_wanted_class_above_the_threshold_best_first():
    boxes = [(0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10), (60, 0, 70, 10)]
    network = fixed(boxes, [0.31, 0.29, 0.9, 0.95], labels=[0, 0, 0, 56])
    (people,) = PersonDetector(network).detect([black(320, 320)])
    np.testing.assert_allclose(people.scores, [0.9, 0.31])
    np.testing.assert_allclose(people.boxes_xyxy[0], boxes[2])
    (chairs,) = PersonDetector(network, person_class=56).detect([black(320, 320)])
    np.testing.assert_allclose(chairs.boxes_xyxy, [boxes[3]])


def test_class_column_of_raw_heads():
    boxes = np.float32([[[0, 0, 10, 10], [20, 0, 30, 10]]])
    scores = np.float32([[[0.9, 0.1], [0.1, 0.8]]])
    outputs = RAW | {"1403": ((None, None, 2), np.dtype(np.float32))}
    network = Network(lambda tensor: {"y.24": boxes, "1403": scores}, outputs)
    (people,) = PersonDetector(network, person_class=1).detect([black(320, 320)])
    np.testing.assert_allclose(people.boxes_xyxy, [[20, 0, 30, 10]])
    with pytest.raises(ModelError, match="scores 2 classes"):
        PersonDetector(network, person_class=2).detect([black(320, 320)])


def test_boxes_are_clipped_and_those_outside_dropped():
    boxes = [(-20, -5, 60, 400), (150, 250, 200, 300), (10, 10, 10, 50)]
    network = fixed(boxes, [0.9, 0.8, 0.7])
    (people,) = PersonDetector(network).detect([black(640, 400)])  # network rows 200.. are padding
    np.testing.assert_allclose(people.boxes_xyxy, [[0, 0, 120, 400]])


def test_raw_heads_pass_both_stages():
    # c overlaps a by 0.65 (gone at the network's 0.6); a overlaps the better b by 0.45 (gone at
    # 0.3). One stage at 0.3 would wrongly keep c, whose overlap with b is 0.26.
    b, a, c = (0, 0, 100, 10), (38, 0, 138, 10), (59, 0, 159, 10)
    network = fixed([a, b, c], [0.8, 0.9, 0.7])
    (people,) = PersonDetector(network).detect([black(320, 320)])
    np.testing.assert_allclose(people.boxes_xyxy, [b])
    one_stage = fixed([a, b, c], [0.8, 0.9, 0.7], labels=[0, 0, 0])  # whose NMS let all pass
    (people,) = PersonDetector(one_stage).detect([black(320, 320)])
    np.testing.assert_allclose(people.boxes_xyxy, [b, c])


def test_the_second_stage_counts_corners_as_pixels():
    # 10 × 10 px, 5 apart: 50 of 150 is a third, above 0.33; as MMPose counts, 66 of 176 is 0.375.
    network = fixed([(0, 0, 10, 10), (5, 0, 15, 10)], [0.9, 0.8])
    for threshold, expected in ((0.36, 1), (0.38, 2)):
        detector = PersonDetector(network, iou_threshold=threshold)
        assert len(detector.detect([black(320, 320)])[0]) == expected


def test_limits_of_the_first_stage():
    x, y = (np.arange(1500) % 40) * 8, (np.arange(1500) // 40) * 8
    apart = np.stack([x, y, x + 6, y + 6], axis=1)
    scores = np.linspace(0.9, 0.4, 1500)
    (people,) = PersonDetector(fixed(apart, scores)).detect([black(320, 320)])
    np.testing.assert_allclose(people.boxes_xyxy, apart[:100])  # the 100 best
    crowded = np.where(np.arange(1500)[:, None] < 1000, apart[0], apart)
    (people,) = PersonDetector(fixed(crowded, scores)).detect([black(320, 320)])
    np.testing.assert_allclose(people.boxes_xyxy, apart[:1])  # all 1000 candidates are that box
    sensitive = PersonDetector(fixed(apart[:2], [0.06, 0.04]), score_threshold=0.01)
    assert len(sensitive.detect([black(320, 320)])[0]) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1, 3), (40, 30, 1), (40, 30)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_odd_pictures_are_seen(shape, dtype):
    picture = np.full(shape, np.iinfo(dtype).max, dtype)
    seen = []

    def look(tensor):
        seen.append(tensor[0])
        return see_red_raw(tensor)

    (people,) = PersonDetector(Network(look, RAW)).detect([picture])
    assert len(people) == 0  # white is not red
    np.testing.assert_allclose(seen[0][:, 0, 0], (255 - np.array(MEAN_BGR)) / STD_BGR, rtol=1e-5)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((2, 10, 10, 3), np.uint8),
        np.zeros(10, np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(picture):
    with pytest.raises(DataError, match="not a picture"):
        PersonDetector(Network(see_red_raw, RAW)).detect([picture])


def test_input_size_from_graph_or_card():
    assert PersonDetector(Network(see_red_raw, RAW, (640, 384))).input_wh == (640, 384)
    anything = Network(see_red_raw, RAW, (None, None))
    assert PersonDetector(anything, input_wh=(416, 320)).input_wh == (416, 320)
    with pytest.raises(ModelError, match="any size") as caught:
        PersonDetector(anything)
    assert "--set person_input_wh=" in str(caught.value.hint)
    with pytest.raises(ModelError, match="is asked for"):
        PersonDetector(Network(see_red_raw, RAW), input_wh=(640, 640))


@pytest.mark.parametrize(
    "outputs",
    [
        {"simcc_x": ((None, 17, 384), np.float32), "simcc_y": ((None, 17, 512), np.float32)},
        {"depth": ((None, None, None), np.float32)},
        RAW | {"kernels": ((None, None, 32), np.dtype(np.float32))},
    ],
)
def test_another_contract_is_named(outputs):
    with pytest.raises(ModelError) as raised:
        PersonDetector(Network(see_red_raw, outputs))
    assert all(name in str(raised.value) for name in outputs)
    assert "network.onnx" in str(raised.value)


@pytest.mark.parametrize(
    "inputs",
    [
        {"tokens": ((None, 77), np.dtype(np.int64))},
        {"image": ((1, 1, 320, 320), np.dtype(np.float32))},
        {"image": ((1, 3, 320, 320), np.dtype(np.uint8))},
        {name: ((1, 3, 320, 320), np.dtype(np.float32)) for name in "ab"},
    ],
)
def test_graph_that_takes_no_pictures_is_named(inputs):
    network = Network(see_red_raw, RAW)
    network.inputs = inputs
    with pytest.raises(ModelError, match="does not take pictures") as raised:
        PersonDetector(network)
    assert all(name in str(raised.value) for name in inputs)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"y.24": np.full((1, 2, 4), np.nan), "1403": np.zeros((1, 2, 1))}, "not finite"),
        ({"y.24": np.zeros((2, 2, 4)), "1403": np.zeros((2, 2, 1))}, "for a batch of 1"),
        ({"y.24": np.zeros((1, 2, 4)), "1403": np.zeros((1, 3, 1))}, "contract"),
    ],
)
def test_answers_are_checked_at_the_door(answer, complaint):
    with pytest.raises(ModelError, match=complaint):
        PersonDetector(Network(lambda tensor: answer, RAW)).detect([black(32, 32)])


def iou(one, other):
    overlap = np.prod(
        np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0)
    )
    return overlap / (sum(np.prod(box[2:] - box[:2]) for box in (one, other)) - overlap)


# Read off the picture by eye: the woman, the man, the bystander at the left.
BY_EYE = np.array([(475, 790, 965, 1760), (240, 320, 570, 1180), (0, 290, 140, 765)])


@pytest.mark.parametrize("input_wh", [(320, 320), (640, 640)])
def test_real_network_finds_the_people_with_either_contract(shared, people_picture, input_wh):
    found = []
    for name in ("rtmdet_nano_person_320_end2end.onnx", "rtmdet_nano_person_raw.onnx"):
        model = open_model(shared / "weights" / name, device="cpu", threads=1)
        found += PersonDetector(model, input_wh=input_wh).detect([people_picture])
    for end2end, raw in zip(found[0].boxes_xyxy, found[1].boxes_xyxy, strict=True):
        assert iou(end2end, raw) > 0.99
    np.testing.assert_allclose(found[0].scores, found[1].scores, atol=1e-4)
    for box in BY_EYE:
        assert max(iou(box, other) for other in found[1].boxes_xyxy) > 0.8


def test_real_raw_heads_batch_equals_singles(shared, people_picture):
    model = open_model(shared / "weights" / "rtmdet_nano_person_raw.onnx", device="cpu", threads=1)
    detector = PersonDetector(model, input_wh=(320, 320))
    pictures = [people_picture, people_picture[:, ::-1], people_picture[300:1300]]
    for together, picture in zip(detector.detect(pictures), pictures, strict=True):
        (alone,) = detector.detect([picture])
        np.testing.assert_allclose(together.boxes_xyxy, alone.boxes_xyxy, atol=0.01)
        np.testing.assert_allclose(together.scores, alone.scores, atol=1e-5)
