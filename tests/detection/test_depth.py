"""Depth Anything's resize rule and contract, on networks that read depth off colours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from auglift.detection.depth import DepthEstimator, DepthMap, network_wh
from auglift.errors import DataError, ModelError, UsageError
from auglift.storage.onnx_session import open_model

MEAN = np.reshape([0.485, 0.456, 0.406], (3, 1, 1))
STD = np.reshape([0.229, 0.224, 0.225], (3, 1, 1))
TARGET_PX = 56  # small, so that the tests are quick


class Network:
    """Stands in for an opened graph: `answer` maps levels 0..1 (B, 3, h, w) to the outputs."""

    path = Path("network.onnx")
    has_own_memory = wants_one_batch = False

    def __init__(self, answer, wh=(None, None), outputs=("depth",)):
        self.inputs = {"image": ((None, 3, wh[1], wh[0]), np.dtype(np.float32))}
        self.outputs = {name: ((None, None, None), np.dtype(np.float32)) for name in outputs}
        self.shapes = []
        self._answer = answer

    def run(self, feeds):
        self.shapes.append(feeds["image"].shape)
        return self._answer(feeds["image"] * STD + MEAN)


def red_is_depth(levels):
    return {"depth": 1 + 9 * levels[:, 0]}


def ramp(wh):
    """Red grows from left to right, so the true depth is 1 to 10 m."""
    picture = np.zeros((wh[1], wh[0], 3), np.uint8)
    picture[..., 0] = np.rint(np.linspace(0, 255, wh[0]))
    return picture


@pytest.mark.parametrize(
    ("picture_wh", "target_px", "expected"),
    [
        ((1000, 1002), 518, (518, 518)),  # Human3.6M
        ((900, 900), 518, (518, 518)),  # Fit3D
        ((2048, 2048), 518, (518, 518)),  # MPI-INF-3DHP
        ((1920, 1080), 518, (924, 518)),
        ((1080, 1920), 518, (518, 924)),  # 3DPW, portrait
        ((640, 480), 518, (686, 518)),
        ((1920, 1080), 252, (448, 252)),
        ((500, 500), 256, (266, 266)),  # upwards: 252 would fall below
        ((1, 1), 518, (518, 518)),
        ((10000, 1), 518, (2072, 518)),  # squeezed
        ((1, 10000), 56, (56, 224)),
    ],
)
def test_network_size(picture_wh, target_px, expected):
    assert network_wh(picture_wh, target_px) == expected


def official_size(width, height, target=518):
    """Depth-Anything-V2 util/transform.py, Resize.get_size with its own arguments."""
    scale = max(target / height, target / width)
    sides = []
    for side in (scale * width, scale * height):
        rounded = int(np.round(side / 14) * 14)
        sides.append(int(np.ceil(side / 14) * 14) if rounded < target else rounded)
    return tuple(sides)


def test_network_size_is_the_official_one():
    random = np.random.default_rng(0)
    for width, height in random.integers(200, 4000, (300, 2)):
        if max(width, height) <= 3.9 * min(width, height):
            assert network_wh((width, height)) == official_size(width, height)


@pytest.mark.parametrize("wh", [(320, 180), (180, 320), (30, 20), (400, 400)])
def test_depth_of_the_picture_at_its_pixels(wh):
    network = Network(red_is_depth)
    (depth,) = DepthEstimator(network, target_px=TARGET_PX).estimate([ramp(wh)])
    width, height = network_wh(wh, TARGET_PX)
    assert network.shapes == [(1, 3, height, width)]
    assert depth.values.shape == (height, width)
    assert depth.values.dtype == np.float32
    assert depth.picture_wh == wh
    xy = np.array([(0, 0), (wh[0] // 4, wh[1] // 2), (wh[0] // 2, 3), (wh[0] - 1, wh[1] - 1)])
    # The official resampling pair (half-pixel down, align-corners up) disagrees by half a pixel.
    half_px = 9 / min(wh[0], width) / 2
    np.testing.assert_allclose(
        depth.sample(xy), 1 + 9 * xy[:, 0] / (wh[0] - 1), atol=half_px + 0.02
    )


def test_describe_asks_for_the_disc_around_each_point():
    values = np.ones((28, 42), np.float32)
    values[:, 21:] = 3
    depth_m, valid = DepthMap(values, (420, 280)).describe(
        np.array([(100.0, 100.0), (320.0, 100.0), (np.nan, 5.0)]), np.full(3, 4.0)
    )
    np.testing.assert_allclose(depth_m[:2], [[1] * 6, [3] * 6])
    assert valid.tolist() == [True, True, False]


def test_normalisation_is_close_to_the_official_float64_path():
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    picture = cv2.resize(noise, (480, 360), interpolation=cv2.INTER_LINEAR)
    seen = []

    def look(levels):
        seen.append((levels - MEAN) / STD)
        return red_is_depth(levels)

    DepthEstimator(Network(look), target_px=252).estimate([picture])
    official = cv2.resize(picture / 255.0, (336, 252), interpolation=cv2.INTER_CUBIC)
    official = (official.transpose(2, 0, 1) - MEAN) / STD
    difference = abs(seen[0][0] - official)
    assert difference.mean() < 0.006  # rounding to 1/255 is up to 0.009 in these units
    assert difference.max() < 0.02


def test_pictures_of_one_size_share_batches_and_keep_their_order():
    wide, tall = (320, 180), (180, 320)
    pictures = [ramp(wide), ramp(tall), ramp(wide) // 2, ramp(tall) // 2, ramp(wide) // 4]
    network = Network(red_is_depth)
    together = DepthEstimator(network, target_px=TARGET_PX, batch=2).estimate(pictures)
    assert [shape[0] for shape in network.shapes] == [2, 1, 2]
    estimator = DepthEstimator(Network(red_is_depth), target_px=TARGET_PX)
    for depth, picture in zip(together, pictures, strict=True):
        (alone,) = estimator.estimate([picture])
        np.testing.assert_array_equal(depth.values, alone.values)
        assert depth.picture_wh == (picture.shape[1], picture.shape[0])
    assert estimator.estimate([]) == []


@pytest.mark.parametrize(
    "picture", [np.full((1, 1), 255, np.uint8), np.full((3, 2000), 65535, np.uint16)]
)
def test_odd_pictures(picture):
    (depth,) = DepthEstimator(Network(red_is_depth), target_px=TARGET_PX).estimate([picture])
    np.testing.assert_allclose(depth.values, 10, rtol=1e-5)
    assert max(depth.values.shape) <= 4 * TARGET_PX


def test_one_channel_output():
    network = Network(lambda levels: {"depth": red_is_depth(levels)["depth"][:, None]})
    (depth,) = DepthEstimator(network, target_px=TARGET_PX).estimate([ramp((90, 90))])
    assert depth.values.shape == (TARGET_PX, TARGET_PX)


def test_focal_length_scales_as_the_network_sees_it():
    network = Network(lambda levels: {"depth": np.ones_like(levels[:, 0])})
    estimator = DepthEstimator(network, target_px=TARGET_PX, focal_divisor_px=300)
    assert estimator.needs_focal
    pictures = [ramp((112, 112)), ramp((56, 56)), ramp((112, 112))]
    focal_px = [np.array([600.0, 600.0]), np.array([600.0, 660.0]), np.array([900.0, 900.0])]
    found = estimator.estimate(pictures, focal_px)
    # A picture halved on its way into the network has half the focal length there.
    expected = (300 / 300, 630 / 300, 450 / 300)
    np.testing.assert_allclose([depth.values[0, 0] for depth in found], expected, rtol=1e-6)
    for missing in (None, focal_px[:1]):
        with pytest.raises(DataError, match="focal length"):
            estimator.estimate(pictures, missing)


def test_kinds():
    assert DepthEstimator(Network(red_is_depth)).kind == "metric"
    relative = DepthEstimator(
        Network(lambda levels: {"depth": -levels[:, 0]}), kind="relative", target_px=TARGET_PX
    )
    (depth,) = relative.estimate([ramp((90, 90))])
    assert depth.values.max() <= 0
    with pytest.raises(UsageError, match="kind of depth 'disparity'"):
        DepthEstimator(Network(red_is_depth), kind="disparity")


def test_inverse_depth_becomes_larger_with_distance():
    """A disparity that grows to the right: the right is near; at the left there is none."""
    network = Network(lambda levels: {"depth": np.maximum(10 * levels[:, 0] - 2, 0)})
    estimator = DepthEstimator(network, kind="inverse", target_px=TARGET_PX)
    (depth,) = estimator.estimate([ramp((112, 56))])
    assert np.isinf(depth.values[:, 0]).all()
    assert (np.diff(depth.values[0, 30:]) < 0).all()
    np.testing.assert_allclose(depth.values[0, -1], 1 / 8, rtol=0.01)
    depth_m, valid = depth.describe(np.array([(4.0, 20.0), (100.0, 20.0)]), np.full(2, 3.0))
    assert valid.tolist() == [False, True]
    assert depth_m[1, 2] < depth_m[1, 1] < depth_m[1, 3]
    nothing = Network(lambda levels: {"depth": 0 * levels[:, 0]})
    with pytest.raises(ModelError, match="disparity is 0 everywhere"):
        DepthEstimator(nothing, kind="inverse", target_px=TARGET_PX).estimate([ramp((90, 90))])


def test_which_output_is_the_depth():
    def two(levels):
        return {"raw": 2 + levels[:, 0], "sky": levels[:, 1]}

    network = Network(two, outputs=("raw", "sky"))
    with pytest.raises(ModelError, match="no output 'depth': the graph has raw, sky"):
        DepthEstimator(network)
    with pytest.raises(ModelError, match="no output 'depht': the graph has raw, sky"):
        DepthEstimator(network, output="depht")
    estimator = DepthEstimator(network, output="raw", target_px=TARGET_PX)
    assert estimator.estimate([ramp((90, 90))])[0].values.min() >= 2
    sole = Network(
        lambda levels: {"predicted_depth": 5 + levels[:, 0]}, outputs=["predicted_depth"]
    )
    assert DepthEstimator(sole, target_px=TARGET_PX).estimate([ramp((9, 9))])[0].values.min() >= 5


def test_static_graph_takes_only_its_size():
    estimator = DepthEstimator(Network(red_is_depth, (98, 56)), target_px=TARGET_PX)
    (depth,) = estimator.estimate([ramp((320, 180))])
    assert depth.values.shape == (56, 98)
    with pytest.raises(ModelError, match=r"\(98, 56\) only; one of \(180, 320\)"):
        estimator.estimate([ramp((180, 320))])
    # Its own size says what the shorter side is brought to.
    assert DepthEstimator(Network(red_is_depth, (98, 56))).target_px == 56
    assert DepthEstimator(Network(red_is_depth)).target_px == 518


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda levels: {"depth": 0 * levels[:, 0]}, "0 everywhere"),
        (lambda levels: {"depth": levels[:, 0] / 0}, "not finite"),
        (lambda levels: {"depth": levels[:, 0, ::2]}, "contract"),
        (lambda levels: {"depth": levels}, "contract"),
        (lambda levels: {"depth": levels[0, 0]}, "for a batch of 1"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_answers_are_checked_at_the_door(answer, complaint):
    with pytest.raises(ModelError, match=complaint):
        DepthEstimator(Network(answer), target_px=TARGET_PX).estimate([ramp((90, 90))])


def test_real_network_is_positive_ordered_and_sharp(shared, people_picture):
    path = shared / "weights" / "depth_dav2_contract.onnx"
    estimator = DepthEstimator(open_model(path, device="cpu", threads=1), target_px=252)
    (depth,) = estimator.estimate([people_picture])
    assert depth.values.shape == (448, 252)
    assert depth.values.min() > 0.5
    woman, man, door = depth.sample(np.array([(831, 1144), (464, 540), (205, 518)]))
    assert woman < man - 0.3
    assert man < door - 0.3
    head, beside = depth.sample(np.array([(868, 850), (1000, 850)]))  # 30 px of the network apart
    assert beside > head + 0.5
