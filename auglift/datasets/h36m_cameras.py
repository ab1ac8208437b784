"""The four cameras of Human3.6M, as they stood for each of the seven subjects with published poses.

For those who have no `metadata.xml`; `h36m_metadata.py` reads the same numbers from it. The lens
formula is `h36m` of `geometry/camera.py`.

Source: the numbers of metadata.xml, also published by VideoPose3D (quaternions) and as JSON in
karfly/human36m-camera-parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auglift.geometry.camera import Camera

FloatArray = npt.NDArray[np.float64]

CAMERA_NAMES = ("54138969", "55011271", "58860488", "60457274")
MM = 1e-3


@dataclass(frozen=True, eq=False)
class Mounting:
    """One camera, as it stood for one subject."""

    intrinsics: FloatArray
    """(9,) fx, fy, cx, cy, k1, k2, k3, p1, p2."""
    rotation: FloatArray
    """(3, 3) world → camera."""
    centre_m: FloatArray
    """(3,) its place in the world."""

    def camera(self, image_wh: tuple[int, int]) -> Camera:
        """The same with the size of its pictures."""
        nine = self.intrinsics
        return Camera.from_centre(
            image_wh,
            *(nine[:2], nine[2:4], nine[4:7], nine[7:]),
            "h36m",
            rotation=self.rotation,
            centre=self.centre_m,
        )


Mountings = Mapping[tuple[str, str], Mounting]
"""By subject and camera."""


def rotation_of_quaternion(quaternion: npt.ArrayLike) -> FloatArray:
    """(w, x, y, z) → (3, 3); it need not have the length 1."""
    w, x, y, z = np.asarray(quaternion, np.float64) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def rotation_of_euler(angles: npt.ArrayLike) -> FloatArray:
    """metadata.xml's three angles (rad) → Rx(a) · Ry(b) · Rz(c), world → camera (3, 3)."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    rotation: FloatArray = about_x @ about_y @ about_z
    return rotation


# Camera, fx fy cx cy (px); k1 k2 k3 p1 p2. The same for all subjects.
_LENSES = """
54138969 1145.04940458804 1143.78109572365 512.541504956548 515.4514869776
-0.207098910824901 0.247775183068982 -0.00307515035078854 -0.00142447157470321 -0.000975698859470499
55011271 1149.67569986785 1147.59161666764 508.848621645943 508.064917088557
-0.194213629607385 0.240408539138292 0.00681997559022603 -0.0027408943961907 -0.001619026613787
58860488 1149.14071676148 1148.7989685676 519.815837182153 501.402658888552
-0.208338188251856 0.255488007488945 -0.00246049749891915 -0.000759999321030303 0.00148438698385668
60457274 1145.51133842318 1144.77392807652 514.968197319863 501.882018537695
-0.198384093827848 0.218323676298049 -0.00894780704152122 -0.00181336200488089 -0.000587205583421232
"""

# Of each subject's four cameras: unit quaternion world → camera (w x y z), place in the world (mm).
_PLACES = """
S1
0.140705640954 0.150070172013 0.755240827202 -0.622328015602 1841.107028 4955.284623 1563.445396
0.615718778295 0.764836293658 0.148338256669 -0.117947410178 1761.278534 -5078.006595 1606.264960
0.146514728441 0.146478525124 -0.765302346777 0.609417585933 -1846.777661 5215.046505 1491.972466
0.583400870507 0.785316206898 -0.145488231978 0.147495945135 -1794.789729 -3722.698915 1574.892726
S5
0.146737728548 0.162370963479 0.755189291056 -0.617893877550 2097.391510 4880.944658 1605.732472
0.615975834048 0.762679206552 0.157281920776 -0.118981499227 2031.700785 -5167.933012 1612.923051
0.142913716087 0.129078422045 -0.767838492737 0.611014304079 -1620.594863 5171.658733 1496.437047
0.592047974594 0.781421762090 -0.127474860886 0.150364175767 -1637.173745 -3867.317349 1547.033256
S6
0.133789772157 0.156923961398 0.757109038134 -0.619887950828 1935.451747 4950.245804 1618.083815
0.614719765508 0.762881278043 0.161747674090 -0.118192450823 1969.803908 -5128.738761 1632.778839
0.152994815878 0.135291303878 -0.764609662649 0.611278098081 -1769.596477 5185.361155 1476.993409
0.591610134431 0.780477402931 -0.128322705274 0.156159391852 -1721.668750 -3884.131347 1540.487902
S7
0.143524180106 0.163133681850 0.754832874967 -0.618882494856 1974.512956 4926.354464 1597.832645
0.614167285852 0.763826278183 0.159664563665 -0.117792991539 1937.058429 -5119.789816 1631.566481
0.145500593536 0.128748168294 -0.766051651149 0.612713925265 -1741.811118 5208.249363 1464.824646
0.591284807827 0.782176434279 -0.124454733556 0.151964867607 -1734.710578 -3832.421354 1548.583035
S8
0.141105877204 0.155898678419 0.756191750166 -0.619644067564 2150.651841 4896.160951 1611.904706
0.616960147257 0.764766838951 0.148463499701 -0.111581575512 2219.965670 -5148.453076 1613.044016
0.147144411360 0.133771200410 -0.767012814328 0.610036991340 -1571.221500 5137.018582 1498.176128
0.592782412968 0.782587079496 -0.121478163134 0.146319956820 -1476.913382 -3896.741124 1547.972207
S9
0.155405875324 0.155482165193 0.753209521942 -0.619959455350 2044.458525 4935.117280 1481.227528
0.618784489588 0.763473495951 0.141322382912 -0.119339685410 1990.959662 -5123.810552 1568.804816
0.133578269025 0.136710044806 -0.768945442356 0.610073861408 -1670.992155 5211.985742 1528.387998
0.587939906905 0.782340731338 -0.142761437503 0.147948700299 -1696.043471 -3827.099886 1591.412727
S11
0.152324722152 0.154423212996 0.754756339566 -0.619107032906 2098.440238 4926.554657 1500.278574
0.618944957937 0.760091748159 0.153006337245 -0.125525830761 2083.182401 -4912.172824 1561.078579
0.149432291424 0.156502273646 -0.768123405277 0.602630453005 -1609.815343 5177.335973 1537.896715
0.589425154941 0.781887715152 -0.139912120927 0.147153613734 -1590.737991 -3854.169004 1578.017607
"""


def _lenses() -> dict[str, FloatArray]:
    words = _LENSES.split()
    return {words[i]: np.array(words[i + 1 : i + 10], np.float64) for i in range(0, 40, 10)}


def _built_in() -> dict[tuple[str, str], Mounting]:
    lenses, lines = _lenses(), _PLACES.split("\n")[1:-1]
    mountings = {}
    for i_subject in range(0, len(lines), 5):
        for camera, line in zip(CAMERA_NAMES, lines[i_subject + 1 : i_subject + 5], strict=True):
            seven = np.array(line.split(), np.float64)
            mountings[lines[i_subject], camera] = Mounting(
                lenses[camera], rotation_of_quaternion(seven[:4]), seven[4:] * MM
            )
    return mountings


BUILT_IN: Mountings = _built_in()
