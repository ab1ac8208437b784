"""Batches of windows: VideoPose3D's way (one sample after another) against an index gather.

    python bench/batches.py [--frames 81 --frames 243]

Both make the same batches of 2D windows (B, T, 17, 2) and their 3D targets (B, 1, 17, 3) from the
same tracks, on one core of the CPU: samples in random order, windows padded with the track's edge
frames, half of the batches mirrored. The plain way fills each batch in a Python loop with `np.pad`
where a window reaches beyond its track, as VideoPose3D's generator does. Both must agree.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from auglift.geometry.skeleton import H36M_17
from auglift.lifting.data import PoseData, load_pose_data, window_offsets
from auglift.lifting.features import flip

Array = npt.NDArray[np.float32]
N_TRACKS, FRAMES_PER_TRACK, WIDTH = 40, 2_500, 1000
PARTNERS = list(H36M_17.partners)


def make_tracks() -> tuple[Array, Array]:
    """Places (S, N, 17, 2) px and poses (S, N, 17, 3) m."""
    rng = np.random.default_rng(0)
    shape = (N_TRACKS, FRAMES_PER_TRACK, 17)
    places = rng.uniform(0, WIDTH, (*shape, 2)).astype(np.float32)
    return places, rng.normal(0.0, 0.3, (*shape, 3)).astype(np.float32)


def as_table(places: Array, poses: Array) -> PoseData:
    """The same as one table."""
    n_rows = N_TRACKS * FRAMES_PER_TRACK
    columns = {
        "joints_2d": places.reshape(n_rows, 17, 2),
        "pose_3d": poses.reshape(n_rows, 17, 3),
        "detected": np.ones(n_rows, bool),
        "image_wh": np.full((n_rows, 2), WIDTH, np.int32),
    }
    starts = np.arange(N_TRACKS + 1) * FRAMES_PER_TRACK
    return load_pose_data(columns, starts, np.full(N_TRACKS, 25.0))


def plain(
    tracks: tuple[Array, Array], rows: npt.NDArray[np.int64], frames: int, mirrored: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """One sample after another."""
    places, poses = tracks
    pad = frames // 2
    batch_2d = np.empty((len(rows), frames, 17, 2), np.float32)
    batch_3d = np.empty((len(rows), 1, 17, 3), np.float32)
    for i, row in enumerate(rows):
        track, frame = divmod(int(row), FRAMES_PER_TRACK)
        start, end = frame - pad, frame + pad + 1
        low, high = max(start, 0), min(end, FRAMES_PER_TRACK)
        left, right = low - start, end - high
        window = places[track][low:high]
        if left or right:
            window = np.pad(window, ((left, right), (0, 0), (0, 0)), "edge")
        batch_2d[i] = window
        batch_3d[i] = poses[track][frame : frame + 1]
        if mirrored:
            batch_2d[i, ..., 0] = WIDTH - 1 - batch_2d[i, ..., 0]
            batch_2d[i] = batch_2d[i][:, PARTNERS]
            batch_3d[i, ..., 0] *= -1
            batch_3d[i] = batch_3d[i][:, PARTNERS]
    return torch.from_numpy(batch_2d), torch.from_numpy(batch_3d)


def gathered(
    data: PoseData, rows: torch.Tensor, frames: int, mirrored: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """All samples at once."""
    window = data.windows(rows, window_offsets(frames, False), 25.0, ("joints_2d", "image_wh"))
    answer = data.windows(rows, torch.zeros(1), 25.0)
    if mirrored:
        window, answer = flip(window, H36M_17), flip(answer, H36M_17)
    return window["joints_2d"], answer["pose_3d"]


def rate(make: Callable[[int], object], batches: int, batch_size: int) -> float:
    """Samples a second, the best of three runs: the others were disturbed."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        for i in range(batches):
            make(i)
        best = min(best, time.perf_counter() - start)
    return batches * batch_size / best


def measure(frames: int, batches: int, batch_size: int) -> dict[str, float]:
    """Both ways in one run."""
    tracks = make_tracks()
    data = as_table(*tracks)
    order = np.random.default_rng(1).integers(0, len(data), (batches, batch_size))
    indices = torch.from_numpy(order)
    for i in range(2):
        ways = plain(tracks, order[i], frames, i == 1), gathered(data, indices[i], frames, i == 1)
        if not all(torch.equal(a, b) for a, b in zip(*ways, strict=True)):
            raise SystemExit("the two ways made different batches")
    loop = rate(lambda i: plain(tracks, order[i], frames, i % 2 == 1), batches, batch_size)
    gather = rate(lambda i: gathered(data, indices[i], frames, i % 2 == 1), batches, batch_size)
    return {"frames": frames, "loop_per_s": loop, "gather_per_s": gather, "ratio": gather / loop}


def main() -> None:
    """Print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, action="append")
    parser.add_argument("--batches", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = [measure(f, options.batches, options.batch_size) for f in options.frames or (81, 243)]
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'frames':<8}{'loop, samples/s':>18}{'gather, samples/s':>20}{'ratio':>8}")
    for one in found:
        print(
            f"{one['frames']:<8}{one['loop_per_s']:>18,.0f}{one['gather_per_s']:>20,.0f}"
            f"{one['ratio']:>8.1f}"
        )


if __name__ == "__main__":
    main()
