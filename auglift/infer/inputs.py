"""What an input is: whether it is there, whether it is keypoints, and what is seen live."""

from __future__ import annotations

import glob
from pathlib import Path

from auglift.datasets.keypoints.formats import may_be_keypoints
from auglift.errors import MissingDataError, UsageError
from auglift.infer.config import InferConfig
from auglift.storage.pictures import PICTURE_SUFFIXES
from auglift.storage.sources import Source, open_source
from auglift.storage.webcam import Webcam

# Pictures and keypoint files do not say how fast they follow each other.
NOMINAL_FPS = 25.0


def check_input(path: Path) -> None:
    """Raise `MissingDataError` for a path or pattern that nothing is at."""
    if not path.exists() and not any(glob.iglob(str(path), recursive=True)):
        raise MissingDataError("no such picture, video, folder or file", where=path)


def is_keypoints(path: Path) -> bool:
    """By its name; a folder that holds pictures is a clip, whatever lies beside them."""
    if path.is_dir() and any(p.suffix.lower() in PICTURE_SUFFIXES for p in path.iterdir()):
        return False
    return may_be_keypoints(path)


def is_photo(path: Path) -> bool:
    """Whether it is a single picture, not a clip."""
    return path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES


def open_live(config: InferConfig) -> Source | Webcam:
    """The camera, or the one video or clip of pictures."""
    if config.camera is not None:
        return Webcam(config.camera)
    if len(config.inputs) != 1:
        raise UsageError(
            f"one video at a time is lifted online, not {len(config.inputs)}",
            hint="auglift infer clip.mp4 --online, or --camera 0",
        )
    check_input(config.inputs[0])
    return open_source(config.inputs[0], fps=config.fps)
