"""The three tables that the stages exchange: every column with its type, shape and unit.

The columns below are the documentation of the tables, and what `storage/tables.py` and
`storage/table_writer.py` enforce. Rows are sorted by (sequence, person, frame), and each key comes
once. The sizes that differ between tables stand in the file's metadata
(`storage/table_metadata.py`): J joints of the skeleton, K keypoints of the detector's own
skeleton, F features.

What is missing is NaN, never zero, and no number is ever infinite. Plain data: importing this
costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auglift.errors import unknown_name

TEXT = "text"
ALWAYS = "always"


@dataclass(frozen=True)
class Column:
    """One column; a row holds an array of shape `dims`, or a single value without them."""

    name: str
    dtype: str
    """A numpy type, or `TEXT`."""
    dims: tuple[str, ...]
    unit: str
    meaning: str
    finite_where: str = ""
    """Where numbers must stand: a boolean column, `ALWAYS`, or "": each may be NaN."""
    absent_unless: str = ""
    """The boolean column where this has a value; elsewhere it is NaN (or false)."""
    optional: bool = False
    """Written only when asked for."""


@dataclass(frozen=True)
class Schema:
    """One kind of table."""

    kind: str
    version: int
    written_by: str
    """The command that writes it, for error messages."""
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All column names, the optional ones included."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`; an unknown name lists the known ones."""
        for column in self.columns:
            if column.name == name:
                return column
        raise unknown_name(f"column of {self.kind}", name, self.names)

    def has(self, dim: str) -> bool:
        """Whether a column that is always there has the dimension `dim`."""
        return any(dim in column.dims for column in self.columns if not column.optional)


FIXED_SIZES = {
    "wh": 2,
    "xy": 2,
    "xyz": 3,
    "xyxy": 4,
    "intrinsic": 9,
    "camera_axis": 3,
    "world_axis": 3,
    "statistic": 6,  # geometry.descriptor.STATISTICS
}
"""How long the dimensions are that every table shares; `joint`, `keypoint`, `feature` vary."""

# Pixels and metres are float32: a ten-thousandth of a pixel, a micrometre. Cameras and times are
# float64: rounding them would move every joint of a sequence alike.
# fmt: off
_KEYS = (
    Column("sequence", TEXT, (), "", "one take of one camera: h36m/S9/Walking 1/54138969"),
    Column("person", "int16", (), "", "number of the person in the sequence, from 0"),
    Column("frame", "int32", (), "", "number of the picture in its source, from 0"),
)
_TAKE = (
    Column("time_s", "float64", (), "s", "time since the first picture of the source", ALWAYS),
    Column("split", TEXT, (), "", "train, val or test"),
    Column("subject", TEXT, (), "", "who is seen, as the dataset names them"),
    Column("action", TEXT, (), "", "what is done, without the number of the take"),
    Column("camera_name", TEXT, (), "", "as the dataset names it"),
)
_SOURCE = (
    Column("source", TEXT, (), "", "picture or video, relative to the dataset's folder"),
)
_CAMERA = (
    Column("image_wh", "int32", ("wh",), "px", "width and height of the picture"),
    Column("intrinsics", "float64", ("intrinsic",), "px (4), 1", "fx fy cx cy k1 k2 k3 p1 p2"),
    Column("rotation", "float64", ("camera_axis", "world_axis"), "1", "R: camera = R·world + t"),
    Column("translation", "float64", ("camera_axis",), "m", "t: camera = R·world + t"),
)
_TRUTH = (
    Column("keypoints_2d", "float32", ("joint", "xy"), "px", "true place, picture", "visible"),
    Column("pose_3d", "float32", ("joint", "xyz"), "m", "true place, camera axes", "visible"),
    Column("visible", "bool", ("joint",), "", "false: the dataset does not vouch for the joint"),
)
_DETECTED = (
    Column("detected", "bool", (), "", "whether the person was found in the picture"),
)
_BOX = (
    Column("box_xyxy", "float32", ("xyxy",), "px", "left, top, right, bottom", "", "detected"),
)
_AS_DETECTED = (
    Column("box_score", "float32", (), "1", "trust in it; NaN if given", "", "detected"),
    Column("keypoints_2d", "float32", ("keypoint", "xy"), "px", "as detected", "", "detected"),
    Column("confidence", "float32", ("keypoint",), "1", "as detected", "", "detected"),
)
_JOINTS = (
    Column("joints_2d", "float32", ("joint", "xy"), "px", "detected place", "", "detected"),
    Column("joint_confidence", "float32", ("joint",), "1", "trust in the place", "", "detected"),
    Column("depth_m", "float32", ("joint", "statistic"), "m",
           "depth in the joint's disc: point, median, min, max, low quantile, high quantile",
           "depth_valid", "depth_valid"),
    Column("depth_valid", "bool", ("joint",), "", "whether the disc holds a depth", "", "detected"),
    Column("radius_px", "float32", ("joint",), "px", "radius of the disc", "", "detected"),
    Column("features", "float16", ("joint", "feature"), "1",
           "the networks' features at the joint", "", "detected", optional=True),
)

ANNOTATIONS = Schema(
    "annotations", 1, "auglift preprocess",
    _KEYS + _TAKE + _SOURCE + _CAMERA + _TRUTH,
)
DETECTIONS = Schema(
    "detections", 1, "auglift detect-depth",
    _KEYS + _DETECTED + _BOX + _AS_DETECTED + _JOINTS,
)
XYCD = Schema(
    "xycd", 1, "auglift merge",
    _KEYS + _TAKE + _CAMERA + _TRUTH + _DETECTED + _BOX + _JOINTS,
)
# fmt: on

KEYS = tuple(column.name for column in _KEYS)
SCHEMAS: Mapping[str, Schema] = {s.kind: s for s in (ANNOTATIONS, DETECTIONS, XYCD)}


def get_schema(kind: str) -> Schema:
    """The schema of a kind of table; an unknown kind lists the known ones."""
    if kind not in SCHEMAS:
        raise unknown_name("kind of table", kind, SCHEMAS)
    return SCHEMAS[kind]
