"""Cameras of which little is known see what they are said to see."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.errors import UsageError
from auglift.geometry.focal import (
    assumed_camera,
    camera_of_35mm_focal,
    camera_of_field_of_view,
    pinhole,
)


def angle_deg(camera, start_px, end_px):
    rays = camera.back_project(np.array([start_px, end_px], float), np.ones(2))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    return np.degrees(np.arccos(rays[0] @ rays[1]))


@pytest.mark.parametrize("wh", [(640, 480), (480, 640)])
def test_a_field_of_view_is_along_the_longer_side(wh):
    camera = camera_of_field_of_view(wh, 70.0)
    longer = int(np.argmax(wh))
    start = (np.array(wh) - 1) / 2
    end = start.copy()
    start[longer], end[longer] = -0.5, wh[longer] - 0.5
    assert angle_deg(camera, start, end) == pytest.approx(70.0)


def test_film_of_43_mm_and_the_assumption_are_the_same():
    film = camera_of_35mm_focal((1920, 1080), np.hypot(36, 24))
    assumed = assumed_camera((1920, 1080))
    np.testing.assert_allclose(film.intrinsics, assumed.intrinsics)
    corner = angle_deg(assumed, (-0.5, -0.5), (1919.5, 1079.5))
    assert corner == pytest.approx(2 * np.degrees(np.arctan(0.5)))


def test_a_telephone_sees_79_degrees_from_corner_to_corner():
    """26 mm, as EXIF gives it, is 79.5° in the makers' tables."""
    corner = angle_deg(camera_of_35mm_focal((4000, 3000), 26.0), (-0.5, -0.5), (3999.5, 2999.5))
    assert corner == pytest.approx(79.5, abs=0.1)


def test_the_axis_meets_the_middle():
    np.testing.assert_array_equal(pinhole((3, 5), 10.0).project([0.0, 0.0, 2.0]), [1.0, 2.0])


@pytest.mark.parametrize("degrees", [0.0, 175.0, float("nan")])
def test_impossible_fields_of_view_are_refused(degrees):
    with pytest.raises(UsageError, match="field of view"):
        camera_of_field_of_view((10, 10), degrees)


def test_an_unknown_focal_length_is_refused():
    with pytest.raises(UsageError, match="says nothing"):
        camera_of_35mm_focal((10, 10), 0.0)
