"""A real picture for the networks of the detection room."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest


@pytest.fixture(scope="session")
def people_picture(shared: Path) -> npt.NDArray[np.uint8]:
    """RGB (1920, 1088, 3): a man who walks towards us, before him a woman seen from behind."""
    with av.open(str(shared / "videos" / "several_people.mp4")) as video:
        return next(video.decode(video=0)).to_ndarray(format="rgb24")


@pytest.fixture(scope="session")
def virtual_picture(virtual_data: Path) -> npt.NDArray[np.uint8]:
    """The first frame of the virtual world, with one person in it."""
    clip = sorted(virtual_data.rglob("*.mkv"))[0]
    with av.open(str(clip)) as video:
        return next(video.decode(video=0)).to_ndarray(format="rgb24")
