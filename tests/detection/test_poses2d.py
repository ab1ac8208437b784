"""RTMPose's crop and SimCC geometry, on a network that sees coloured dots, and on a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auglift.detection.crops import crop_boxes
from auglift.detection.poses2d import MEAN_RGB, STD_RGB, PoseEstimator2d, decode_simcc
from auglift.errors import DataError, ModelError, UsageError
from auglift.geometry.skeleton import COCO_17
from auglift.storage.onnx_session import open_model

INPUT_WH = (192, 256)
BINS_PER_PX = 2


class Network:
    """Stands in for an opened graph: `answer` maps levels 0..1 (B, 3, H, W) to the outputs."""

    path = Path("network.onnx")
    has_own_memory = wants_one_batch = False

    def __init__(self, answer, wh=INPUT_WH, n_joints=17):
        self.inputs = {"input": ((None, 3, wh[1], wh[0]), np.dtype(np.float32))}
        self.outputs = {
            "simcc_x": ((None, n_joints, None), np.dtype(np.float32)),
            "simcc_y": ((None, n_joints, None), np.dtype(np.float32)),
        }
        self.seen = []
        self._answer = answer

    def run(self, feeds):
        mean, std = (np.reshape(v, (3, 1, 1)) for v in (MEAN_RGB, STD_RGB))
        self.seen.append((feeds["input"] * std + mean) / 255)
        return self._answer(self.seen[-1])


def dots_seen(levels, n_joints=17, bins_per_px=BINS_PER_PX, sure=(0.9, 0.7)):
    """Joint k sits at the centroid of colour k mod 3; sharp SimCC vectors."""
    height, width = levels.shape[2:]
    bright = levels[:, np.arange(n_joints) % 3]
    total = np.maximum(bright.sum(axis=(2, 3)), 1e-6)
    x = (bright.sum(axis=2) @ np.arange(width)) / total
    y = (bright.sum(axis=3) @ np.arange(height)) / total
    return {
        "simcc_x": sharp(x * bins_per_px, width * bins_per_px, sure[0]),
        "simcc_y": sharp(y * bins_per_px, height * bins_per_px, sure[1]),
    }


def sharp(place, n_bins, peak):
    """Vectors (..., n_bins) with `peak` at the nearest bin to `place` (...), less elsewhere."""
    return np.float32(peak * np.exp(-((np.arange(n_bins) - place[..., None]) ** 2) / 72))


def dots(wh, places, sigma_px=5.0):
    """A black picture with a red, a green and a blue soft dot."""
    picture = np.zeros((wh[1], wh[0], 3), np.uint8)
    for channel, (x, y) in enumerate(places):
        in_x = np.exp(-((np.arange(wh[0]) - x) ** 2) / (2 * sigma_px**2))
        in_y = np.exp(-((np.arange(wh[1]) - y) ** 2) / (2 * sigma_px**2))
        picture[..., channel] = np.rint(255 * in_y[:, None] * in_x[None, :])
    return picture


def by_joint(places):
    return np.array([places[k % 3] for k in range(17)])


@pytest.mark.parametrize("input_wh", [(192, 256), (288, 384)])
@pytest.mark.parametrize(
    ("wh", "box"),
    [
        ((640, 480), (100.0, 60.0, 260.0, 420.0)),
        ((480, 640), (33.3, 201.5, 231.0, 600.2)),  # portrait
        ((1000, 400), (210.0, 150.0, 790.0, 300.0)),  # lying: the height is enlarged
        ((200, 900), (20.0, 100.0, 170.0, 850.0)),
        ((320, 240), (-60.0, -40.0, 120.0, 190.0)),  # partly outside
    ],
)
def test_joints_come_back_to_where_the_dots_are(input_wh, wh, box):
    inside = np.clip(box, 0, [*wh, *wh]).reshape(2, 2)
    places = [inside[0] + share * (inside[1] - inside[0]) for share in ((0.3, 0.4), (0.5, 0.7))]
    places.append(places[0] + (17.3, 21.6))
    network = Network(dots_seen, input_wh)
    (poses,) = PoseEstimator2d(network).estimate([dots(wh, places)], [[box]])
    pixel = crop_boxes(np.float32([box]), input_wh, 1.25).size_px[0, 0] / input_wh[0]
    assert poses.keypoints_2d.shape == (1, 17, 2)
    error = poses.keypoints_2d[0] - by_joint(places)
    assert abs(error).max() <= 0.25 * pixel + 0.05  # half a bin, and the dot's own rounding
    assert poses.keypoints_2d.dtype == poses.confidence.dtype == np.float32


def test_joints_are_unbiased():
    random = np.random.default_rng(0)
    boxes = np.array([100, 60, 260, 420]) + random.uniform(-8, 8, (24, 4))
    places = [(150.4, 200.3), (180.0, 150.7), (190.2, 300.5)]
    (poses,) = PoseEstimator2d(Network(dots_seen)).estimate([dots((640, 480), places)], [boxes])
    error = poses.keypoints_2d - by_joint(places)
    np.testing.assert_allclose(error.mean(axis=(0, 1)), 0, atol=0.05)


def test_network_sees_rgb_normalised_and_black_outside():
    tensors = []

    class Raw(Network):
        def run(self, feeds):
            tensors.append(feeds["input"][0])
            return super().run(feeds)

    picture = np.empty((300, 300, 3), np.uint8)
    picture[:] = (200, 100, 50)
    PoseEstimator2d(Raw(dots_seen)).estimate([picture], [[(0, 0, 300, 300)]])
    expected = (np.array([200, 100, 50]) - MEAN_RGB) / STD_RGB
    np.testing.assert_allclose(tensors[0][:, 128, 96], expected, rtol=1e-5)
    np.testing.assert_allclose(tensors[0][:, 0, 0], -np.array(MEAN_RGB) / STD_RGB, rtol=1e-5)


def test_grey_picture():
    picture = dots((320, 240), [(120, 90)] * 3)
    estimator = PoseEstimator2d(Network(dots_seen))
    box = [[(60, 30, 200, 200)]]
    (grey,), (rgb,) = (estimator.estimate([p], box) for p in (picture[..., 0], picture))
    np.testing.assert_array_equal(grey.keypoints_2d, rgb.keypoints_2d)


def test_crops_of_all_pictures_share_batches():
    places = [[(50, 60), (70, 80), (60, 90)], [(150, 60), (170, 80), (160, 90)]]
    pictures = [dots((320, 240), places[0]), dots((400, 200), places[1]), dots((99, 99), places[0])]
    boxes = [
        np.array([(20, 20, 110, 140), (30, 30, 120, 120), (10, 10, 120, 180)]),
        np.array([(120, 20, 210, 140), (130, 30, 200, 150)]),
        np.zeros((0, 4)),
    ]
    network = Network(dots_seen)
    found = PoseEstimator2d(network, batch=4).estimate(pictures, boxes)
    assert [len(levels) for levels in network.seen] == [4, 1]
    assert [len(poses) for poses in found] == [3, 2, 0]
    assert found[2].keypoints_2d.shape == (0, 17, 2)
    for poses, picture_places in zip(found[:2], places, strict=True):
        error = poses.keypoints_2d - by_joint(picture_places)
        assert abs(error).max() < 0.3


def test_no_box_asks_no_network():
    network = Network(dots_seen)
    found = PoseEstimator2d(network).estimate([dots((64, 64), [])], [np.zeros((0, 4))])
    assert found[0].keypoints_2d.shape == (0, 17, 2)
    assert found[0].confidence.shape == (0, 17)
    assert network.seen == []


@pytest.mark.parametrize(
    "box",
    [
        (50, 50, 50, 50),  # a point
        (50, 50, 50, 90),  # a line
        (330, 20, 380, 90),  # right of the picture
        (-90, -90, -10, -10),
        (50.2, 50.2, 50.9, 50.9),  # below a pixel
    ],
)
def test_box_that_shows_nothing_is_nan_with_confidence_0(box):
    places = [(100, 90)] * 3
    network = Network(dots_seen)
    good = (60, 30, 200, 200)
    (poses,) = PoseEstimator2d(network).estimate([dots((320, 240), places)], [[box, good]])
    assert len(network.seen[0]) == 1
    assert np.isnan(poses.keypoints_2d[0]).all()
    assert (poses.confidence[0] == 0).all()
    np.testing.assert_allclose(poses.keypoints_2d[1], by_joint(places), atol=0.3)
    assert (poses.confidence[1] > 0.5).all()


@pytest.mark.parametrize("box", [(50, 50, 40, 90), (0, np.nan, 10, 10), (0, 0, np.inf, 10)])
def test_what_is_no_box_is_refused(box):
    with pytest.raises(DataError, match="not a box"):
        PoseEstimator2d(Network(dots_seen)).estimate([dots((64, 64), [])], [[box]])


def test_boxes_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"\(N, 4\)"):
        PoseEstimator2d(Network(dots_seen)).estimate([dots((64, 64), [])], [(0, 0, 10, 10)])


def test_tiny_picture():
    white = np.full((1, 1), 255, np.uint8)
    (poses,) = PoseEstimator2d(Network(dots_seen)).estimate([white], [[(0, 0, 1, 1)]])
    assert abs(poses.keypoints_2d).max() < 0.5  # its one pixel is centred at (0, 0)


def test_confidence_rules():
    simcc_x = np.float32([[[0, 0.2, 1.4, 0.1], [0, 0.2, 0.1, 0.0]]])
    simcc_y = np.float32([[[0.3, 0, 0.1, 0.6], [-0.1, -0.2, -0.3, -0.1]]])
    points, confidence = decode_simcc(simcc_x, simcc_y, (2, 2), "min")
    np.testing.assert_allclose(confidence, [[0.6, -0.1]])
    np.testing.assert_allclose(points, [[[1.0, 1.5], [-0.5, -0.5]]])  # no place: bin −1
    points, confidence = decode_simcc(simcc_x, simcc_y, (2, 2), "mean")
    np.testing.assert_allclose(confidence, [[1.0, 0.05]])
    np.testing.assert_allclose(points[0, 1], [0.5, 0.0])


def test_estimator_uses_its_confidence_rule():
    picture, box = dots((320, 240), [(100, 90)] * 3), [[(60, 30, 200, 200)]]
    for rule, expected in (("min", 0.7), ("mean", 0.8)):
        estimator = PoseEstimator2d(Network(dots_seen), confidence_rule=rule)
        (poses,) = estimator.estimate([picture], box)
        np.testing.assert_allclose(poses.confidence, expected, atol=0.003)
    with pytest.raises(UsageError, match="confidence rule 'max'"):
        PoseEstimator2d(Network(dots_seen), confidence_rule="max")


@pytest.mark.parametrize("bins_per_px", [1, 3])
def test_bins_per_pixel_follow_the_output(bins_per_px):
    network = Network(lambda levels: dots_seen(levels, bins_per_px=bins_per_px))
    places = [(100, 90), (120.5, 110), (140, 60.2)]
    box = (60, 30, 200, 200)
    (poses,) = PoseEstimator2d(network).estimate([dots((320, 240), places)], [[box]])
    assert abs(poses.keypoints_2d[0] - by_joint(places)).max() < 0.5 / bins_per_px * 0.84 + 0.05


def see_wrists(levels):
    """A person who faces us: the dot on the picture's right is the left wrist, red or blue.

    A mirrored picture is thus read as a mirrored person, as a real network reads it.
    """
    height, width = levels.shape[2:]
    bright = levels[:, 0]
    right_half = np.arange(width) >= width / 2
    x = np.full((len(levels), 17), (width - 1) / 2)
    y = np.full((len(levels), 17), (height - 1) / 2)
    for joint, half in (("left_wrist", right_half), ("right_wrist", ~right_half)):
        part = bright * half
        x[:, COCO_17.index(joint)] = (part.sum(axis=1) @ np.arange(width)) / part.sum(axis=(1, 2))
        y[:, COCO_17.index(joint)] = (part.sum(axis=2) @ np.arange(height)) / part.sum(axis=(1, 2))
    return {"simcc_x": sharp(2 * x, 2 * width, 1.0), "simcc_y": sharp(2 * y, 2 * height, 1.0)}


def test_flip_test_swaps_partners_and_reverses_x():
    left, right = (250.0, 130.0), (90.0, 190.0)
    picture = np.maximum(dots((340, 300), [left]), dots((340, 300), [right]))
    box = (60, 30, 270, 270)
    network = Network(see_wrists)
    (poses,) = PoseEstimator2d(network, flip_test=True).estimate([picture], [[box]])
    straight, mirrored = network.seen
    np.testing.assert_allclose(mirrored, straight[..., ::-1])
    pixel = 240 * 1.25 / 256
    for joint, place in (("left_wrist", left), ("right_wrist", right)):
        x, y = poses.keypoints_2d[0, COCO_17.index(joint)]
        assert abs(x - place[0]) <= 0.75 * pixel  # MMPose's reversal is half a pixel to the right
        assert abs(y - place[1]) <= 0.25 * pixel + 0.05
    np.testing.assert_allclose(poses.confidence, 1, atol=0.02)  # both passes agree


def test_skeleton_by_output_width():
    assert PoseEstimator2d(Network(dots_seen)).skeleton.name == "coco_17"
    assert PoseEstimator2d(Network(dots_seen, n_joints=26)).skeleton.name == "halpe_26"
    assert PoseEstimator2d(Network(dots_seen, n_joints=133)).skeleton.name == "wholebody_133"
    assert PoseEstimator2d(Network(dots_seen, n_joints=None)).skeleton.name == "coco_17"
    h36m = PoseEstimator2d(Network(dots_seen), skeleton="h36m_17")
    assert h36m.skeleton.name == "h36m_17"
    with pytest.raises(ModelError, match="21 joints"):
        PoseEstimator2d(Network(dots_seen, n_joints=21))
    with pytest.raises(ModelError, match="not halpe_26"):
        PoseEstimator2d(Network(dots_seen), skeleton="halpe_26")


def test_another_contract_is_named():
    network = Network(dots_seen)
    network.outputs = {"dets": ((1, None, 5), np.float32), "labels": ((1, None), np.int64)}
    with pytest.raises(ModelError, match="no SimCC pose network") as raised:
        PoseEstimator2d(network)
    assert "dets" in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda levels: dots_seen(levels, n_joints=21), "contract"),
        (lambda levels: dots_seen(levels) | {"simcc_y": np.zeros((1, 17, 500))}, "contract"),
        (lambda levels: dots_seen(levels, sure=(np.nan, 1)), "not finite"),
    ],
)
def test_answers_are_checked_at_the_door(answer, complaint):
    with pytest.raises(ModelError, match=complaint):
        PoseEstimator2d(Network(answer)).estimate([dots((64, 64), [])], [[(0, 0, 60, 60)]])


# The woman, seen from behind, and the man, who faces us.
WOMAN, MAN = (475.0, 790.0, 965.0, 1760.0), (240.0, 320.0, 570.0, 1180.0)


@pytest.fixture(scope="module")
def real_model(shared):
    path = shared / "weights" / "pose_coco17_simcc_256x192.onnx"
    return open_model(path, device="cpu", threads=1)


@pytest.mark.parametrize("flip_test", [False, True])
def test_real_network_finds_the_joints(real_model, people_picture, flip_test):
    estimator = PoseEstimator2d(real_model, flip_test=flip_test)
    (poses,) = estimator.estimate([people_picture], [[WOMAN, MAN]])
    for keypoints, box in zip(poses.keypoints_2d, (WOMAN, MAN), strict=True):
        assert (keypoints >= np.array(box[:2]) - 20).all()
        assert (keypoints <= np.array(box[2:]) + 20).all()
    woman, man = (dict(zip(COCO_17.joints, points, strict=True)) for points in poses.keypoints_2d)
    assert woman["left_shoulder"][0] < woman["right_shoulder"][0]
    assert man["left_shoulder"][0] > man["right_shoulder"][0]
    for person in (woman, man):
        heights = [person[f"left_{joint}"][1] for joint in ("shoulder", "hip", "knee", "ankle")]
        assert heights == sorted(heights)
    # Read off the picture by eye, in pixels; a head's height is about 150.
    for person, joint, place in (
        (woman, "left_elbow", (690, 1200)),
        (woman, "right_ankle", (705, 1670)),
        (woman, "left_ankle", (585, 1700)),
        (man, "left_knee", (440, 950)),
        (man, "right_knee", (350, 920)),
        (man, "right_wrist", (270, 750)),
    ):
        assert np.linalg.norm(person[joint] - place) < 60, joint


def test_real_network_batch_equals_singles(real_model, people_picture):
    estimator = PoseEstimator2d(real_model)
    (together,) = estimator.estimate([people_picture], [[WOMAN, MAN]])
    for i_person, box in enumerate((WOMAN, MAN)):
        (alone,) = estimator.estimate([people_picture], [[box]])
        np.testing.assert_array_equal(alone.keypoints_2d[0], together.keypoints_2d[i_person])
        np.testing.assert_allclose(alone.confidence[0], together.confidence[i_person], atol=1e-5)
