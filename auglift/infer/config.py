"""What to infer, with what, and where the results go: `InferConfig`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from auglift.config import StageConfig, setting
from auglift.errors import ConfigError, unknown_name

HIGHEST_FPS = 10_000.0
LONGEST_GAP_S = 60.0
TALLEST_M = 3.0

OVERLAY = "mp4"
SMOOTHING = {
    "butterworth": "butterworth",
    "one-euro": "one_euro",
    "savgol": "savgol",
    "gaussian": "gaussian",
    "median": "median",
    "none": "none",
}
"""Names on the command line → those of `geometry.smoothing`."""


@dataclass(frozen=True, kw_only=True)
class InferConfig(StageConfig):
    """What to lift, with what, and where the people go."""

    inputs: tuple[Path, ...] = setting(())
    """Pictures, folders or patterns of pictures, videos, keypoints of other tools."""

    dataset: str | None = setting(None)
    """Instead of inputs: a dataset with an xycd table; a result for each of its sequences."""

    split: str = setting("test")
    """Its split."""

    camera: int | None = setting(None)
    """Instead of inputs, and online: the number of a camera of this machine."""

    online: bool = setting(False)
    """Lift frame by frame, without looking ahead, with bounded memory; lines of JSON."""

    output: Path | None = setting(None, affects_result=False)
    """Folder of the results; default: beside each input."""

    checkpoint: str | None = setting(None)
    """A run's name or folder, a .safetensors file, or a lifter of the zoo; default: the newest run
    that fits what there is, and where there is none the zoo's best for it."""

    person_model: str | None = setting(None)
    """Card or ONNX file of the person detector; default by what the lifter was trained on."""

    pose_model: str | None = setting(None)
    """Card or ONNX file of the 2D pose network; default likewise."""

    depth_model: str | None = setting(None)
    """Card or ONNX file of the depth network; default likewise, and none for lifters that use no
    depth. If it is named, its depths place the people in any case."""

    precision: Literal["fp32", "fp16"] | None = setting(None)
    """In what these networks compute: fp16 is for GPUs; default as each one's card says (fp32)."""

    person_input_wh: tuple[int, int] | None = setting(None)
    """Width and height at which the person detector was trained, for an ONNX file of any size,
    which does not say it."""

    model_dir: Path | None = setting(None, affects_result=False)
    """A folder where model files lie."""

    formats: tuple[str, ...] = setting(("json", "npz", OVERLAY, "html"))
    """Files to write: json, npz, parquet, csv (joint angles), trc, bvh, c3d, rrd, mp4 (the people
    drawn into the source; a .png for a picture), html (a page to look at them)."""

    video: bool = setting(True)
    """Whether mp4 is written; false leaves it out."""

    batch: int = setting(8)
    """Pictures that go through the networks at once."""

    max_gap_s: float = setting(0.5)
    """What is not seen for at most so long is interpolated; longer gaps stay empty."""

    memory_s: float = setting(2.0)
    """Who is not seen for at most so long is the same person when he comes again."""

    min_track_s: float = setting(0.1)
    """Who is seen for less than this is left out: detectors see people where none are, for a frame
    or two."""

    tracker: str = setting("builtin")
    """Who follows people: builtin, or sort, bytetrack, ocsort of the package `trackers`."""

    smooth: str | None = setting(None)
    """butterworth, one-euro, savgol, gaussian, median or none; default: butterworth, online
    one-euro, which alone needs no future."""

    fps: float | None = setting(None)
    """Frame rate of pictures and keypoints, which do not say it; 25 unless given."""

    image_wh: tuple[int, int] | None = setting(None)
    """Width and height of the pictures, for keypoint files that do not say them."""

    keypoint_skeleton: str | None = setting(None)
    """Joint set of keypoint files; default: what the file says, or COCO's 17."""

    fov_deg: float | None = setting(None)
    """The camera's field of view along the pictures' longer side; default: EXIF, or a usual one."""

    intrinsics: tuple[float, float, float, float] | None = setting(None)
    """The camera's fx, fy, cx, cy in pixels."""

    height_m: float | None = setting(None)
    """The people's stature, which fixes their size and thereby their distance."""

    up: str = setting("y")
    """The world's axis that points up: y or z."""

    def __post_init__(self) -> None:
        if not self.written_formats:
            raise ConfigError("no formats and no video: there is nothing to write")
        if self.batch < 1:
            raise ConfigError(f"batch must be at least 1, not {self.batch}")
        # Every frame of a gap becomes a row: without bounds a typo could ask for billions.
        for name in ("max_gap_s", "memory_s", "min_track_s"):
            if not 0 <= getattr(self, name) <= LONGEST_GAP_S:
                raise ConfigError(f"{name} is 0 to {LONGEST_GAP_S:g}, not {getattr(self, name)}")
        if self.fps is not None and not 0 < self.fps <= HIGHEST_FPS:
            raise ConfigError(f"fps is above 0 and at most {HIGHEST_FPS:g}, not {self.fps}")
        for name in ("image_wh", "person_input_wh"):
            size = getattr(self, name)
            if size is not None and min(size) < 1:
                raise ConfigError(f"{name} must be positive, not {size}")
        if self.height_m is not None and not 0 < self.height_m <= TALLEST_M:
            raise ConfigError(f"height_m is above 0 and at most {TALLEST_M:g} (metres)")
        if self.smooth is not None and self.smooth not in SMOOTHING:
            raise unknown_name("smoothing", self.smooth, SMOOTHING)
        if self.up not in ("y", "z"):
            raise unknown_name("up axis", self.up, ("y", "z"))
        self._check_camera()

    @property
    def written_formats(self) -> tuple[str, ...]:
        """The formats, less the video where it is not wanted."""
        return tuple(name for name in self.formats if self.video or name != OVERLAY)

    def _check_camera(self) -> None:
        if self.fov_deg is not None and self.intrinsics is not None:
            raise ConfigError("fov_deg and intrinsics both say how wide the camera sees")
        if self.intrinsics is not None and not min(self.intrinsics[:2]) > 0:
            raise ConfigError(f"focal lengths are positive, not {self.intrinsics[:2]}")
        if self.online and self.smooth not in (None, "one-euro", "none"):
            raise ConfigError(f"smooth={self.smooth} looks ahead", hint="online: one-euro or none")
