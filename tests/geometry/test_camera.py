from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from auglift.errors import DataError, UsageError
from auglift.geometry.camera import Camera, denormalise_by_width, normalise_by_width

# Human3.6M's four cameras as they stand in its metadata.xml: fx, fy, cx, cy, k1, k2, k3, p1, p2.
H36M_LENSES = {
    "54138969": (
        1145.04940458804, 1143.78109572365, 512.541504956548, 515.4514869776,
        -0.207098910824901, 0.247775183068982, -0.00307515035078854,
        -0.00142447157470321, -0.000975698859470499,
    ),
    "55011271": (
        1149.67569986785, 1147.59161666764, 508.848621645943, 508.064917088557,
        -0.194213629607385, 0.240408539138292, 0.00681997559022603,
        -0.0027408943961907, -0.001619026613787,
    ),
    "58860488": (
        1149.14071676148, 1148.7989685676, 519.815837182153, 501.402658888552,
        -0.208338188251856, 0.255488007488945, -0.00246049749891915,
        -0.000759999321030303, 0.00148438698385668,
    ),
    "60457274": (
        1145.51133842318, 1144.77392807652, 514.968197319863, 501.882018537695,
        -0.198384093827848, 0.218323676298049, -0.00894780704152122,
        -0.00181336200488089, -0.000587205583421232,
    ),
}  # fmt: skip
# Camera 54138969 for subject S1: unit quaternion (w, x, y, z) world → camera, and centre in mm.
S1_QUATERNION = (0.140705640954, 0.150070172013, 0.755240827202, -0.622328015602)
S1_CENTRE_MM = (1841.107028, 4955.284623, 1563.445396)
S1_ROTATION = Rotation.from_quat(S1_QUATERNION, scalar_first=True).as_matrix()

every_lens = pytest.mark.parametrize("distortion", ["none", "h36m", "opencv"])


def s1_camera() -> Camera:
    nine = np.array(H36M_LENSES["54138969"])
    return Camera.from_centre(
        (1000, 1002), nine[:2], nine[2:4], nine[4:7], nine[7:], "h36m",
        rotation=S1_ROTATION, centre=np.array(S1_CENTRE_MM) / 1000,
    )  # fmt: skip


def in_the_lab(n: int = 200) -> np.ndarray:
    """Points (n, 3) of the world where Human3.6M's actors move, metres, Z up."""
    return np.random.default_rng(0).uniform((-1.5, -1.5, 0), (1.5, 1.5, 1.9), (n, 3))


def all_over(camera: Camera, step: float = 20.0) -> np.ndarray:
    """Pixels (N, 2) all over the camera's picture."""
    width, height = camera.image_wh
    columns, rows = np.meshgrid(np.arange(0, width, step), np.arange(0, height, step))
    return np.stack([columns, rows], axis=-1).reshape(-1, 2)


@st.composite
def cameras(draw: st.DrawFn, distortion: str | None = None) -> Camera:
    """Cameras as they occur, looking anywhere, lenses up to those of action cameras."""

    def number(low: float, high: float) -> float:
        return draw(st.floats(low, high))

    width, height = draw(st.sampled_from([(1000, 1002), (900, 900), (1920, 1080), (1080, 1920)]))
    focal = number(1.05, 1.6) * max(width, height)
    return Camera.from_intrinsics(
        (
            focal, focal * number(0.98, 1.02), width * number(0.45, 0.55),
            height * number(0.45, 0.55), number(-0.22, 0.1), number(0, 0.3), number(-0.005, 0.005),
            number(-0.004, 0.004), number(-0.004, 0.004),
        ),
        (width, height),
        distortion or draw(st.sampled_from(["none", "h36m", "opencv"])),
        Rotation.from_rotvec([number(-3, 3) for _ in range(3)]).as_matrix(),
        [number(-5, 5) for _ in range(3)],
    )  # fmt: skip


# Where things are: the world and the camera


def test_axes_are_right_down_forward() -> None:
    # Looking along the world's +y with z up, from two metres behind its origin.
    rotation = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    camera = Camera.from_centre(
        (640, 480), (500, 500), (320, 240), rotation=rotation, centre=(0, -2, 0)
    )
    np.testing.assert_allclose(camera.to_camera([0.5, 1, 0.25]), [0.5, -0.25, 3])
    np.testing.assert_allclose(camera.project_world([0.5, 0, 0.25]), [320 + 125, 240 - 62.5])


def test_both_conventions_of_extrinsics_are_the_same_camera() -> None:
    camera = s1_camera()
    np.testing.assert_allclose(camera.centre, np.array(S1_CENTRE_MM) / 1000, atol=1e-9)
    np.testing.assert_allclose(camera.to_camera(camera.centre), 0, atol=1e-12)
    by_centre = (in_the_lab() - camera.centre) @ S1_ROTATION.T
    np.testing.assert_allclose(camera.to_camera(in_the_lab()), by_centre, atol=1e-12)
    other = replace(camera, translation=-S1_ROTATION @ camera.centre)
    np.testing.assert_allclose(other.centre, camera.centre, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(cameras(), st.integers(0, 2**32 - 1))
def test_world_to_camera_and_back(camera: Camera, seed: int) -> None:
    world = np.random.default_rng(seed).uniform(-10, 10, (3, 4, 3))
    there = camera.to_camera(world)
    np.testing.assert_allclose(camera.to_world(there), world, atol=1e-12)
    distances = np.linalg.norm(world - camera.centre, axis=-1)
    np.testing.assert_allclose(np.linalg.norm(there, axis=-1), distances, atol=1e-12)


# What the lens does


def test_h36m_formula_term_by_term() -> None:
    camera = s1_camera()
    (fx, fy, cx, cy, k1, k2, k3, p1, p2), (x, y, z) = camera.intrinsics, (1.1, -0.7, 4.5)
    x, y = x / z, y / z
    r2 = x * x + y * y
    stretch = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + p1 * y + p2 * x
    expected = fx * (x * stretch + p2 * r2) + cx, fy * (y * stretch + p1 * r2) + cy
    np.testing.assert_allclose(camera.project([1.1, -0.7, 4.5]), expected, rtol=1e-14)


@settings(deadline=None, max_examples=40)
@given(cameras(distortion="opencv"), st.integers(0, 2**32 - 1))
def test_opencv_formula_is_opencvs(camera: Camera, seed: int) -> None:
    points = np.random.default_rng(seed).uniform((-2, -2, 3), (2, 2, 6), (20, 3))
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = camera.intrinsics
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    in_cv2s_order = np.array([k1, k2, p1, p2, k3])
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, in_cv2s_order)
    np.testing.assert_allclose(camera.project(points), expected[:, 0], atol=1e-9)


def test_without_distortion_the_coefficients_are_unused() -> None:
    camera = replace(s1_camera(), distortion="none")
    points = in_the_lab() + np.array([0, 0, 4])
    pinhole = points[:, :2] / points[:, 2:] * camera.focal_px + camera.centre_px
    np.testing.assert_allclose(camera.project(points), pinhole, rtol=1e-14)
    np.testing.assert_allclose(camera.undistort(pinhole), pinhole, rtol=1e-14)


@pytest.mark.parametrize("name", H36M_LENSES)
def test_how_much_the_formula_matters_in_human36m(name: str) -> None:
    camera = Camera.from_intrinsics(H36M_LENSES[name], (1000, 1000), "h36m")
    pixels = all_over(camera)
    points = camera.back_project(pixels, 5.0)
    off_centre = np.linalg.norm(pixels - camera.centre_px, axis=-1)
    for distortion, in_the_middle, in_the_corners in (("opencv", 0.2, 0.7), ("none", 2.4, 28)):
        other = replace(camera, distortion=distortion).project(points)
        error = np.linalg.norm(other - pixels, axis=-1)
        assert error[off_centre < 240].max() <= in_the_middle
        assert error.max() > in_the_corners


def test_one_camera_of_human36m_in_everybodys_encoding() -> None:
    camera, points = s1_camera(), in_the_lab()
    expected = camera.project_world(points)
    assert ((expected > 0) & (expected < 1000)).all()
    nine, centre = np.array(H36M_LENSES["54138969"]), np.array(S1_CENTRE_MM) / 1000

    # MMPose's cameras.pkl: R camera → world, T (3, 1) the centre in metres, columns throughout.
    pickled: dict[str, Any] = {
        "R": S1_ROTATION.T, "T": centre[:, None], "f": nine[:2, None], "c": nine[2:4, None],
        "k": nine[4:7, None], "p": nine[7:, None],
    }  # fmt: skip
    mmpose = Camera.from_centre(
        (1000, 1002), *(pickled[key].ravel() for key in "fckp"), "h36m",
        rotation=pickled["R"].T, centre=pickled["T"].ravel(),
    )  # fmt: skip
    np.testing.assert_allclose(mmpose.project_world(points), expected, atol=1e-9)

    # R | t in millimetres, the coefficients in OpenCV's order.
    translation_mm = -S1_ROTATION @ np.array(S1_CENTRE_MM)
    k1, k2, p1, p2, k3 = nine[[4, 5, 7, 8, 6]]
    karfly = Camera(
        (1000, 1002), nine[:2], nine[2:4], np.array([k1, k2, k3]), np.array([p1, p2]), "h36m",
        S1_ROTATION, translation_mm / 1000,
    )  # fmt: skip
    np.testing.assert_allclose(karfly.project_world(points), expected, atol=1e-9)

    # VideoPose3D rounds its cameras to float32.
    np.testing.assert_allclose(video_pose_3d_projection(points), expected, atol=2e-3)


def video_pose_3d_projection(points: np.ndarray) -> np.ndarray:
    """What VideoPose3D does with its own numbers: camera → world, p1 and p2 swapped."""
    w, x, y, z = 0.1407056450843811, -0.1500701755285263, -0.755240797996521, 0.6223280429840088
    centre = np.array([1841.1070556640625, 4955.28466796875, 1563.4454345703125]) / 1000
    f = np.array([1145.0494384765625, 1143.7811279296875])
    c = np.array([512.54150390625, 515.4514770507812])
    k = np.array([-0.20709891617298126, 0.24777518212795258, -0.0030751503072679043])
    p = np.array([-0.0009756988729350269, -0.00142447161488235])

    to_world = Rotation.from_quat([x, y, z, w])
    in_camera = to_world.inv().apply(points - centre)
    slopes = in_camera[:, :2] / in_camera[:, 2:]
    r2 = (slopes**2).sum(axis=1, keepdims=True)
    radial = 1 + (k * np.concatenate([r2, r2**2, r2**3], axis=1)).sum(axis=1, keepdims=True)
    tangential = (p * slopes).sum(axis=1, keepdims=True)
    return f * (slopes * (radial + tangential) + p * r2) + c


# There and back


@settings(deadline=None, max_examples=50)
@given(cameras(), st.integers(0, 2**32 - 1))
def test_undistorting_takes_the_lens_away(camera: Camera, seed: int) -> None:
    slopes = np.random.default_rng(seed).uniform(-0.5, 0.5, (30, 2))
    points = np.concatenate([slopes, np.ones((30, 1))], axis=1) * 3.0
    pinhole = replace(camera, distortion="none")
    undistorted = camera.undistort(camera.project(points))
    np.testing.assert_allclose(undistorted, pinhole.project(points), atol=1e-9, rtol=0)


@settings(deadline=None, max_examples=50)
@given(cameras())
def test_undistorting_succeeds_all_over_the_picture(camera: Camera) -> None:
    pixels = all_over(camera, step=60.0)
    ideal = camera.undistort(pixels)
    pinhole = replace(camera, distortion="none")
    seen_again = camera.project(pinhole.back_project(ideal, 3.0))
    np.testing.assert_allclose(seen_again, pixels, atol=1e-9, rtol=0)


@settings(deadline=None, max_examples=50)
@given(cameras(), st.integers(0, 2**32 - 1))
def test_projecting_what_was_back_projected(camera: Camera, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(0, camera.image_wh, (4, 5, 2))
    depth_m = rng.uniform(0.3, 30, (4, 5))
    points = camera.back_project(pixels, depth_m)
    np.testing.assert_array_equal(points[..., 2], depth_m)
    np.testing.assert_allclose(camera.project(points), pixels, atol=1e-9, rtol=0)
    np.testing.assert_allclose(camera.back_project(camera.project(points), depth_m), points)


def test_undistorting_far_from_the_picture_finds_nothing_rather_than_nonsense() -> None:
    # With k1 alone, r (1 − 0.2 r²) rises up to r = √(5/3) and then folds back; a little tangential
    # distortion, as Fit3D has, moves that by about a hundredth.
    camera = Camera(
        (900, 900), (1000, 1000), (450, 450), (-0.2, 0, 0), (0.0036, -0.0036), distortion="h36m"
    )
    fold = np.sqrt(5 / 3)
    pixels = all_over(replace(camera, image_wh=(6000, 6000)), step=50.0) - 2550
    reach = np.linalg.norm(pixels - 450, axis=-1) / (1000 * fold * 2 / 3)
    ideal = camera.undistort(pixels)
    assert np.isnan(ideal[reach > 1.02]).all()
    assert (np.linalg.norm(ideal[reach < 0.98] - 450, axis=-1) < 1000 * fold).all()
    again = camera.project(camera.back_project(pixels, 2.0))
    np.testing.assert_allclose(again[reach < 0.98], pixels[reach < 0.98], atol=1e-9)


@every_lens
def test_points_beside_and_behind_the_camera_are_nowhere(distortion: str) -> None:
    camera = replace(s1_camera(), distortion=distortion)
    nowhere = [[1, 1, 0], [0, 0, 0], [1, 1, -2], [0, 0, -1e-300], [np.nan, 1, 1], [1, 1, np.nan]]
    projected = camera.project(nowhere)
    assert np.isnan(projected[:4]).all()
    assert np.isnan(projected[4, 0])
    assert np.isnan(projected[5]).all()
    # So near that the numbers overflow; warnings are errors here.
    assert not np.isfinite(camera.project([1, 1, 1e-320])).any()
    assert np.isnan(camera.undistort([np.nan, 3.0])).any()


@every_lens
def test_any_leading_shape(distortion: str) -> None:
    camera = replace(s1_camera(), distortion=distortion)
    world = in_the_lab(24).reshape(2, 3, 4, 3)
    pixels = camera.project_world(world)
    assert pixels.shape == (2, 3, 4, 2)
    np.testing.assert_allclose(camera.project_world(world[1, 2, 3]), pixels[1, 2, 3], rtol=1e-13)
    assert camera.back_project(pixels, 4.0).shape == (2, 3, 4, 3)
    assert camera.back_project([500, 500], [1.0, 2.0, 3.0]).shape == (3, 3)
    for nobody in (camera.project_world(world[:0]), camera.undistort(pixels[:0])):
        assert nobody.shape == (0, 3, 4, 2)


# The camera as a record


def test_nine_numbers_make_the_same_lens() -> None:
    camera = s1_camera()
    np.testing.assert_array_equal(camera.intrinsics, H36M_LENSES["54138969"])
    again = Camera.from_intrinsics(
        camera.intrinsics, camera.image_wh, "h36m", camera.rotation, camera.translation
    )
    np.testing.assert_array_equal(
        again.project_world(in_the_lab()), camera.project_world(in_the_lab())
    )


def test_a_camera_keeps_its_own_numbers() -> None:
    focal = np.array([500.0, 500.0])
    camera = Camera((640, 480), focal, (320, 240))
    focal[:] = 1
    np.testing.assert_array_equal(camera.focal_px, [500, 500])
    np.testing.assert_array_equal(camera.project([0.1, 0, 1]), [370, 240])


def test_wrong_cameras_are_refused() -> None:
    with pytest.raises(UsageError, match=r"unknown distortion 'brown'[\s\S]*h36m"):
        Camera((640, 480), (500, 500), (320, 240), distortion="brown")
    with pytest.raises(DataError, match=r"translation has the shape \(3,\), not \(3, 1\)"):
        Camera((640, 480), (500, 500), (320, 240), translation=np.zeros((3, 1)))
    with pytest.raises(DataError, match="focal_px"):
        Camera((640, 480), 500.0, (320, 240))


# Normalised pictures


def test_both_axes_are_divided_by_the_width() -> None:
    points = [[0, 0], [1920, 1080], [960, 540], [480, 270]]
    expected = [[-1, -0.5625], [1, 0.5625], [0, 0], [-0.5, -0.28125]]
    np.testing.assert_allclose(normalise_by_width(points, (1920, 1080)), expected)
    np.testing.assert_allclose(normalise_by_width([[0, 0]], (1080, 1920)), [[-1, -1920 / 1080]])


def test_portrait_pictures_as_if_padded_to_a_square() -> None:
    points = np.random.default_rng(0).uniform(0, (1080, 1920), (50, 2))
    margin = (1920 - 1080) / 2
    expected = normalise_by_width(points + np.array([margin, 0]), (1920, 1920))
    padded = normalise_by_width(points, (1080, 1920), pad_portrait=True)
    np.testing.assert_allclose(padded, expected, atol=1e-14)
    assert np.abs(padded).max() <= 1
    landscape = points[:, ::-1]
    np.testing.assert_array_equal(
        normalise_by_width(landscape, (1920, 1080), pad_portrait=True),
        normalise_by_width(landscape, (1920, 1080)),
    )


@settings(deadline=None, max_examples=30)
@given(
    st.tuples(st.integers(1, 4000), st.integers(1, 4000)), st.booleans(), st.integers(0, 2**32 - 1)
)
def test_normalising_and_back(image_wh: tuple[int, int], pad_portrait: bool, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-100, 5000, (3, 2))
    normalised = normalise_by_width(points, image_wh, pad_portrait=pad_portrait)
    back = denormalise_by_width(normalised, image_wh, pad_portrait=pad_portrait)
    np.testing.assert_allclose(back, points, atol=1e-9)


def test_each_frame_may_have_its_own_size() -> None:
    points = np.random.default_rng(0).uniform(0, 1000, (2, 17, 2))
    sizes = np.array([[1280, 720], [1080, 1920]])
    together = normalise_by_width(points, sizes[:, None], pad_portrait=True)
    for i, size in enumerate(sizes):
        alone = normalise_by_width(points[i], size, pad_portrait=True)
        np.testing.assert_array_equal(together[i], alone)
