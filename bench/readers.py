"""Readers of raw data sets: how much of the time is the file formats' and how much is ours.

Writes a fixture of a data set in its true format (with the writers of `tests/`), reads it under a
profiler, and counts the time that passes inside each library. numpy's is that of whoever called it:
arithmetic on poses is ours. The pictures' library is `storage`, which wraps PyAV and OpenCV.
"""

from __future__ import annotations

import argparse
import cProfile
import importlib
import importlib.util
import json
import logging
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np

from auglift.datasets.options import DatasetOptions

TESTS = Path(__file__).resolve().parents[1] / "tests" / "datasets"

OURS = "ours"

# What a profiled function's file says about whose time it is.
LIBRARIES = {
    "/scipy/": "scipy",
    "/h5py/": "h5py",
    "/cdflib/": "cdflib",
    "/json/": "json",
    "/pickle.py": "pickle",
    "auglift/storage/": "video, pictures",
    "auglift/": OURS,
    "/pathlib": "file system",
    "<frozen os>": "file system",
    "<frozen posixpath>": "file system",
    "/glob.py": "file system",
}
BUILTINS = {
    "posix.": "file system",
    "io.open": "file system",
    "_io.": "file system",
    "_pickle": "pickle",
}

Function = tuple[str, int, str]
"""File, line and name, as the profiler has them."""


@dataclass(frozen=True)
class Bench:
    """How to write a data set of about `n_rows` rows, and how many it really has."""

    module: str
    """Of `auglift.datasets`."""
    write: Callable[[Path, int], None]
    rows_in_all: int


def write_3dhp(folder: Path, n_rows: int) -> None:
    """A training take of eight cameras, and a test sequence of the usual length."""
    writers = _writers("mpi3dhp")
    take = folder / "S1/Seq2"  # the longest that the data set's table allows is 12,430 frames
    n_frames = min(n_rows // 8, 12_430)
    writers.write_take(take, n_frames, 0, cameras=())
    _write_long_video(take / "imageSequence/video_0.avi", "mpeg4", (2048, 2048), n_frames, 50)
    for i_camera in (1, 2, 4, 5, 6, 7, 8):
        os.link(take / "imageSequence/video_0.avi", take / f"imageSequence/video_{i_camera}.avi")
    n_test = min(n_rows // 16, 6151)
    camera = writers.CAMERAS[8]
    writers.write_annot_data(
        folder / "TS1/annot_data.mat", n_test, list(range(1, n_test, 10)), camera
    )
    pictures = folder / "TS1/imageSequence"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "img_000001.jpg"), np.full((2048, 2048), 99, np.uint8))
    for number in range(2, n_test + 1):
        os.link(pictures / "img_000001.jpg", pictures / f"img_{number:06d}.jpg")


def write_fit3d(folder: Path, n_rows: int) -> None:
    """One subject: exercises of 2,000 frames, as they are on average, before four cameras."""
    writers = _writers("fit3d")
    subject, n_frames = folder / "train/s03", min(2000, n_rows // 4)
    first = subject / "videos" / writers.CAMERAS[0] / "exercise_0.mp4"
    _write_long_video(first, "libx264", (900, 900), n_frames, 50)
    joints = writers.walk(n_frames) + np.random.default_rng(0).normal(0, 0.01, (n_frames, 25, 3))
    for i_take in range(max(1, n_rows // (4 * n_frames))):
        action = f"exercise_{i_take}"
        writers.write_joints(subject / f"joints3d_25/{action}.json", joints)
        for camera in writers.CAMERAS:
            parameters = subject / f"camera_parameters/{camera}/{action}.json"
            writers.write_json(parameters, writers.camera_parameters(camera))
            video = subject / f"videos/{camera}/{action}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            if video != first:
                os.link(first, video)


def write_h36m(folder: Path, n_rows: int) -> None:
    """One subject: takes of 2,500 frames, as they are on average, before four cameras."""
    writers = _writers("h36m")
    subject, n_frames = folder / "S1", min(2500, n_rows // 4)
    videos = {}
    for height in (1000, 1002):
        videos[height] = folder / f"{height}.mp4"
        _write_long_video(videos[height], "libx264", (1000, height), n_frames, 50)
    rng = np.random.default_rng(0)
    still = writers.walk_mm("S1", "bench", 1)
    for i_take in range(max(1, n_rows // (4 * n_frames))):
        steps = rng.normal(0, 3, (n_frames, 32, 3)) * [0.1, 0.1, 0.02]
        world = still + np.cumsum(steps, axis=0)
        for camera in writers.CAMERAS:
            name = f"Walking {i_take}.{camera}"
            points = writers.in_camera(world, "S1", camera)
            pixels = writers.projected(points, camera)
            for kind, values in (("D3_Positions_mono", points), ("D2_Positions", pixels)):
                place = subject / f"MyPoseFeatures/{kind}/{name}.cdf"
                writers.write_cdf(place, values.reshape(n_frames, -1))
            video = subject / f"Videos/{name}.mp4"
            video.parent.mkdir(exist_ok=True)
            os.link(videos[writers.true_height("S1", camera)], video)


def write_3dpw(folder: Path, n_rows: int) -> None:
    """Sequences of two people and 850 frames, as they are on average; one picture for all."""
    writers = _writers("pw3d")
    n_frames = min(850, n_rows // 2)
    for i_sequence in range(max(1, n_rows // (2 * n_frames))):
        content = writers.recording(f"courtyard_bench_{i_sequence:02d}", n=n_frames)
        content["v_template_clothed"] = [np.zeros((6890, 3)) for _ in range(2)]
        content["texture_maps"] = [np.zeros((1024, 1024, 3), np.uint8) for _ in range(2)]
        writers.write_recording(folder, "train", content)
        writers.write_pictures(folder, content["sequence"], [0])
        pictures = folder / "imageFiles" / content["sequence"]
        for number in range(1, n_frames):
            os.link(pictures / "image_00000.jpg", pictures / f"image_{number:05d}.jpg")


# The data sets' sizes: Human3.6M's known totals of both splits; 3DPW's 51,000 frames, of which a
# part has two people; 3DHP's table of frames for eight cameras and its valid test frames; Fit3D's
# counts at 25 Hz, which AugLift's scripts give, twice.
BENCHES = {
    "h36m": Bench("h36m", write_h36m, 1_559_752 + 550_644),
    "3dpw": Bench("pw3d", write_3dpw, 75_000),
    "3dhp": Bench("mpi3dhp", write_3dhp, 8 * 131_592 + 2_929),
    "fit3d": Bench("fit3d", write_fit3d, 2 * (516_570 + 247_964)),
}


def measure(name: str, n_rows: int) -> dict[str, Any]:
    """Write, read once for the time, once more under the profiler for the shares."""
    bench = BENCHES[name]
    reader = importlib.import_module(f"auglift.datasets.{bench.module}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bench.write(folder, n_rows)
        start = time.perf_counter()
        n_read = read_all(reader, folder)
        seconds = time.perf_counter() - start
        forget(bench.module)
        profile = cProfile.Profile()
        profile.runcall(read_all, reader, folder)
    shares = time_by_library(pstats.Stats(profile))
    total = sum(shares.values())
    return {
        "dataset": name,
        "rows": n_read,
        "seconds": seconds,
        "minutes_in_all": seconds / n_read * bench.rows_in_all / 60,
        "shares": {library: spent / total for library, spent in shares.items()},
    }


def read_all(reader: Any, folder: Path) -> int:
    """List and read everything; the number of rows."""
    options = DatasetOptions()
    return sum(
        len(reader.read_sequence(folder, sequence, 1, options))
        for sequence in reader.list_sequences(folder, options)
    )


def forget(module: str) -> None:
    """Empty the reader's caches: files that its sequences share are read again."""
    for name, loaded in list(sys.modules.items()):
        if name.startswith(f"auglift.datasets.{module}"):
            for value in vars(loaded).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def time_by_library(stats: pstats.Stats) -> dict[str, float]:
    """Seconds inside each library; a function of nobody's counts for whoever called it."""
    entries: dict[Function, Any] = stats.stats  # type: ignore[attr-defined]
    spent: dict[str, float] = {}
    for function, (_, _, own_time, _, callers) in entries.items():
        library = whose(function)
        if library is not None or not callers:
            spent[library or OURS] = spent.get(library or OURS, 0.0) + own_time
            continue
        for caller, (_, _, time_from_there, _) in callers.items():
            library = library_of(caller, entries)
            spent[library] = spent.get(library, 0.0) + time_from_there
    return spent


def library_of(function: Function, entries: dict[Function, Any]) -> str:
    """Whose a function is, or of those that call it most."""
    seen: set[Function] = set()
    while (library := whose(function)) is None:
        seen.add(function)
        callers = {c: times[3] for c, times in entries[function][4].items() if c not in seen}
        if not callers:
            return OURS
        function = max(callers, key=lambda caller: callers[caller])
    return library


def whose(function: Function) -> str | None:
    """Which library a profiled function belongs to; None for Python's own and numpy's."""
    file, _, name = function
    if file == "~":
        return next((library for part, library in BUILTINS.items() if part in name), None)
    return next((library for part, library in LIBRARIES.items() if part in file), None)


def _writers(dataset: str) -> ModuleType:
    """The fixture writers of a data set's tests."""
    spec = importlib.util.spec_from_file_location(
        f"{dataset}_writers", TESTS / dataset / "conftest.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _write_long_video(
    path: Path, codec: str, wh: tuple[int, int], n_frames: int, rate: int
) -> None:
    """A video of one still picture: its packet that repeats the picture, over and over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"bf": "0", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = *wh, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.full((wh[1], wh[0], 3), 99, np.uint8), "rgb24")
        first, again = stream.encode(picture), stream.encode(picture)
        packets = [*first, *again] or stream.encode(None)
        container.mux(packets[:1])
        content, time_base = bytes(packets[-1]), packets[-1].time_base
        for i_frame in range(1, n_frames):
            packet = av.Packet(content)
            packet.stream, packet.time_base = stream, time_base
            packet.pts = packet.dts = round(i_frame / rate / time_base)
            container.mux(packet)


def main() -> None:
    """Print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=sorted(BENCHES), action="append")
    parser.add_argument("--rows", type=int, default=100_000, help="of each data set")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # of a whole data set, most is not there
    found = [measure(name, options.rows) for name in options.dataset or BENCHES]
    if options.json:
        print(json.dumps(found))
        return
    for one in found:
        print(
            f"{one['dataset']}: {one['rows']:,} rows in {one['seconds']:.1f} s, "
            f"the whole data set in {one['minutes_in_all']:.1f} min on one core"
        )
        for library, share in sorted(one["shares"].items(), key=lambda item: -item[1]):
            print(f"    {library:<18}{share:>6.1%}")


if __name__ == "__main__":
    main()
