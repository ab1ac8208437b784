"""Boxes ↔ crops: MMPose's geometry."""

from __future__ import annotations

import numpy as np

from auglift.detection.crops import crop_boxes


def test_crop_grows_by_the_padding_then_to_the_aspect():
    crops = crop_boxes(np.float32([[100, 100, 140, 300], [100, 100, 500, 200]]), (192, 256), 1.25)
    np.testing.assert_allclose(crops.centre_px, [[120, 200], [300, 150]])
    np.testing.assert_allclose(crops.size_px, [[187.5, 250], [500, 500 * 256 / 192]], rtol=1e-6)


def test_crop_interpolates():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, 20:] = 200
    crop = crop_boxes(np.float32([[0, 0, 30, 40]]), (192, 256), 1.0).cut(picture, 0)
    row = crop[128, :, 0]  # 6.4 network pixels to one of the picture; its columns sit at 6.4 · x
    assert (row[:122] == 0).all()  # 19 · 6.4 = 121.6
    np.testing.assert_allclose(row[122:128], 200 * (np.arange(122, 128) / 6.4 - 19), atol=6)
    assert (row[129:] == 200).all()


def test_network_and_picture_pixels_are_inverse():
    crops = crop_boxes(np.float32([[100, 100, 140, 300], [-50, 10, 500, 200]]), (288, 384), 1.25)
    points = np.random.default_rng(0).uniform(-50, 400, (2, 17, 2)).astype(np.float32)
    np.testing.assert_allclose(crops.to_network(crops.to_picture(points)), points, atol=1e-3)
    # The centre of the box is the middle of the input, as MMPose's warp has it.
    middle = crops.to_network(crops.centre_px[:, None])
    np.testing.assert_allclose(middle[:, 0], [[144, 192]] * 2, atol=1e-3)
