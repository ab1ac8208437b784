"""How much of reading Human3.6M is the file formats' own time: 100,000 rows in the true formats.

    python bench/preprocess.py [takes]

Makes takes of 2,500 frames from four cameras (CDF as the dataset has it, compressed; videos with a
picture for each frame), then compares, the best of three:

    formats    cdflib reads 3D and 2D, PyAV decodes the first picture of each video
    reading    the same through the reader: cameras, joints, units, checks
    preprocess reading and writing: a part for each sequence, then the table

and extrapolates to the 2.1 million rows of the whole dataset, in one process.
"""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from cdflib import CDF, cdfwrite

from auglift.datasets import h36m
from auglift.datasets.h36m_cameras import BUILT_IN
from auglift.datasets.options import DatasetOptions
from auglift.preprocess import PreprocessConfig, preprocess
from auglift.storage.video_writer import write_video

FRAMES = 2500
ALL_ROWS = 2_110_396
SUBJECT = "S1"


def write_cdf(path: Path, values: np.ndarray) -> None:
    """(T, 96) or (T, 64), as float32 in one compressed record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = cdfwrite.CDF(path, cdf_spec={"Majority": "row_major", "Compressed": False}, delete=True)
    spec = {
        "Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True,
        "Dim_Sizes": list(values.shape), "Compress": 6,
    }  # fmt: skip
    file.write_var(spec, var_data=values[None].astype("f4"))
    file.close()


def make_dataset(folder: Path, n_takes: int) -> None:
    """Joints that move a little from frame to frame; grey videos."""
    rng = np.random.default_rng(0)
    videos = {}
    for height in (1000, 1002):
        videos[height] = folder.parent / f"{height}.mp4"
        with write_video(videos[height], 50.0) as video:
            for _ in range(FRAMES):
                video.write(np.full((height, 1000, 3), 90, np.uint8))
    for i_take in range(n_takes):
        steps = rng.normal(0, 3, (FRAMES, 32, 3)) * [0.1, 0.1, 0.02]
        world = np.cumsum(steps, axis=0) + rng.normal(0, 300, (32, 3)) + [0, 0, 900]
        for (subject, camera), mounting in BUILT_IN.items():
            if subject != SUBJECT:
                continue
            height = 1002 if camera in ("54138969", "60457274") else 1000
            place = mounting.camera((1000, height))
            points = place.to_camera(world / 1000)
            name = f"Walking {i_take}.{camera}"
            poses = folder / SUBJECT / "MyPoseFeatures"
            write_cdf(poses / f"D3_Positions_mono/{name}.cdf", 1000 * points.reshape(FRAMES, -1))
            pixels = place.project(points)
            write_cdf(poses / f"D2_Positions/{name}.cdf", pixels.reshape(FRAMES, -1))
            target = folder / SUBJECT / "Videos" / f"{name}.mp4"
            target.parent.mkdir(exist_ok=True)
            target.hardlink_to(videos[height])


def best_of_three(action: Callable[[], object]) -> float:
    """CPU seconds of the best of three runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


def formats_alone(folder: Path) -> None:
    """Every file, read by its own library."""
    for path in folder.rglob("*.cdf"):
        CDF(path).varget("Pose")
    for path in folder.rglob("*.mp4"):
        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            next(container.decode(video=0))


def reading(folder: Path) -> None:
    """Every sequence, through the reader."""
    options = DatasetOptions()
    for sequence in h36m.list_sequences(folder, options):
        h36m.read_sequence(folder, sequence, 1, options)


def whole(folder: Path) -> None:
    """The stage."""
    root = folder.parent / "root"
    preprocess(PreprocessConfig(root=root, dataset="h36m", data=folder, workers=1))
    shutil.rmtree(root)


def main() -> None:
    """Make the data and print the shares."""
    logging.disable(logging.WARNING)
    n_takes = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "h36m_data"
        folder.mkdir()
        make_dataset(folder, n_takes)
        n_rows = n_takes * FRAMES * 4
        formats = best_of_three(lambda: formats_alone(folder))
        print(f"{n_rows:,} rows: CPU seconds, share of the formats, extrapolated to {ALL_ROWS:,}")
        steps = (("reading", reading), ("preprocess", whole))
        print(f"formats    {formats:6.2f}")
        for name, step in steps:
            seconds = best_of_three(lambda step=step: step(folder))
            print(
                f"{name:<10} {seconds:6.2f}  {100 * formats / seconds:3.0f} %  "
                f"{seconds * ALL_ROWS / n_rows:6.0f} s"
            )


if __name__ == "__main__":
    main()
