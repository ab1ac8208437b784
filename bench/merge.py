"""Merging: rows per second and peak memory, against a plain loop over per-frame NPZ files.

    python bench/merge.py [--rows 1000000] [--files 50000] [--workers 1] [--format parquet] [--json]

* ours: `auglift merge` of annotations and detections in parts, in a process of its own, whose peak
  memory is the kernel's (getrusage).
* plain loop: one NPZ per frame is opened, its arrays put into lists, the lists into one NPZ: what
  the scripts of this field do, and what AugLift's do.
* ours from the same files: `auglift merge --detections-from`.

All in one run on made-up data. The files of the loop are in the page cache, which flatters it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from auglift.storage.parts import part_path
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import TableWriter, write_table
from auglift.storage.workspace import Workspace

FRAMES = 2500
"""Of a sequence."""
PART_SEQUENCES = 4
Columns = dict[str, np.ndarray]

_MEASURED = """
import json, resource, sys, time
from pathlib import Path
from auglift.merge import MergeConfig, merge
root, workers, format_, folder = sys.argv[1:]
start = time.perf_counter()
config = MergeConfig(root=Path(root), workers=int(workers), format=format_,
                     detections_from=Path(folder) if folder else None)
if __name__ == "__main__":
    result = merge(config)
    ours, children = (resource.getrusage(who).ru_maxrss for who in
                      (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"s": time.perf_counter() - start, "rows": result.splits[0].rows,
                      "detected": result.splits[0].detected_percent,
                      "mb": ours / 1024, "worker_mb": children / 1024}))
"""


def sequence(i: int, n_rows: int) -> tuple[Columns, Columns]:
    """Annotations and detections of one sequence; the joints walk at random."""
    rng = np.random.default_rng(i)
    name, frame = f"3dhp/S1/Seq{i:05d}/0", np.arange(n_rows, dtype=np.int32)
    pose = np.cumsum(rng.normal(0, 0.01, (n_rows, 17, 3)), axis=0) + rng.normal(0, 0.3, (17, 3))
    pose[..., 2] += 8 - pose[..., 2].min()
    pixels = (1000 * pose[..., :2] / pose[..., 2:] + 1000).astype(np.float32)
    found = pixels + rng.normal(0, 3, pixels.shape).astype(np.float32)
    keys = {"sequence": np.full(n_rows, name, object), "person": np.zeros(n_rows, np.int16),
            "frame": frame}  # fmt: skip
    lens = [1000.0, 1000, 1000, 1000, 0, 0, 0, 0, 0]
    texts = {"split": "train", "subject": "S1", "action": "walk", "camera_name": "0",
             "source": f"{name}.mp4"}  # fmt: skip
    trust = rng.random((n_rows, 17)).astype(np.float32)
    depth = np.repeat(pose[..., 2:], 6, axis=-1) + rng.normal(0, 0.1, (n_rows, 17, 6))
    annotations = {
        **keys, "time_s": frame / 50, **{k: np.full(n_rows, v, object) for k, v in texts.items()},
        "image_wh": np.full((n_rows, 2), 2048, np.int32), "intrinsics": np.tile(lens, (n_rows, 1)),
        "rotation": np.tile(np.eye(3), (n_rows, 1, 1)), "translation": np.zeros((n_rows, 3)),
        "keypoints_2d": pixels, "pose_3d": pose.astype(np.float32),
        "visible": np.ones((n_rows, 17), bool),
    }  # fmt: skip
    detections = {
        **keys, "detected": np.ones(n_rows, bool),
        "box_xyxy": np.concatenate([found.min(axis=1), found.max(axis=1)], axis=-1),
        "box_score": np.ones(n_rows, np.float32), "keypoints_2d": found, "confidence": trust,
        "joints_2d": found, "joint_confidence": trust, "depth_m": depth.astype(np.float32),
        "depth_valid": np.ones((n_rows, 17), bool),
        "radius_px": np.full((n_rows, 17), 9, np.float32),
    }  # fmt: skip
    return annotations, detections


def sequences(n_rows: int) -> Iterator[tuple[Columns, Columns]]:
    """As many as hold `n_rows`."""
    for i, start in enumerate(range(0, n_rows, FRAMES)):
        yield sequence(i, min(FRAMES, n_rows - start))


def write_tables(root: Path, n_rows: int) -> None:
    """Annotations in one file, detections in parts of some sequences."""
    workspace, pending = Workspace(root), []
    n_parts = -(-n_rows // (PART_SEQUENCES * FRAMES))
    about = {"skeleton": "h36m_17", "fps": 50.0, "dataset": "3dhp"}
    truth = TableMetadata(kind="annotations", distortion="none", **about)
    found = TableMetadata(kind="detections", detector_skeleton="coco_17", **about)
    folder, i_part = workspace.detections_folder("3dhp"), 0
    with TableWriter(workspace.annotations("3dhp", "train"), truth) as writer:
        for annotations, detections in sequences(n_rows):
            writer.append(annotations)
            pending.append(detections)
            if len(pending) == PART_SEQUENCES:
                i_part = write_part(part_path(folder, i_part, n_parts), found, pending, i_part)
    if pending:
        write_part(part_path(folder, i_part, n_parts), found, pending, i_part)


def write_part(path: Path, metadata: TableMetadata, pending: list[Columns], number: int) -> int:
    """Write and forget the pending sequences; the next part's number."""
    write_table(path, metadata, {n: np.concatenate([c[n] for c in pending]) for n in pending[0]})
    pending.clear()
    return number + 1


def write_frame_files(folder: Path, n_files: int) -> list[Path]:
    """One NPZ per frame with the keys of AugLift's scripts."""
    paths = []
    for truth, found in sequences(n_files):
        job = folder / truth["sequence"][0].split("/")[2]
        job.mkdir(parents=True)
        for i in range(len(found["frame"])):
            path = job / f"S1_{job.name}_Cam0_{i + 1:06d}_depth.npz"
            depth, trust = found["depth_m"][i], found["joint_confidence"][i]
            summary = np.concatenate(
                [found["joints_2d"][i], trust[:, None], found["radius_px"][i][:, None],
                 depth[:, [4, 4, 1, 5, 5, 0]]], axis=-1)  # fmt: skip
            np.savez(path, keypoints=found["joints_2d"][i], keypoints_score=trust,
                     keypoints_depth=depth[:, 1], keypoints_depth_exact=depth[:, 0],
                     summary_casp_descriptor_10d=summary)  # fmt: skip
            paths.append(path)
    return paths


def plain_loop(paths: list[Path], target: Path) -> float:
    """Seconds for one file after another."""
    start = time.perf_counter()
    names = {"predicted_keypoints": "keypoints", "predicted_keypoints_score": "keypoints_score",
             "predicted_da_depth": "keypoints_depth",
             "summary_casp_descriptor_10d": "summary_casp_descriptor_10d"}  # fmt: skip
    lists: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for path in paths:
        frame = np.load(path, allow_pickle=True)
        for name, key in names.items():
            lists[name].append(frame[key])
    np.savez(target, **{name: np.array(values) for name, values in lists.items()})
    return time.perf_counter() - start


def measured(root: Path, workers: int, format_: str, folder: Path | None) -> dict[str, float]:
    """`auglift merge` in a process of its own: seconds, rows, MB."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(root), str(workers), format_, str(folder or "")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    if found["detected"] != 100:
        raise SystemExit(f"only {found['detected']} % were detected")
    return found


def run(options: argparse.Namespace) -> dict[str, float]:
    """All three in one run."""
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        root = Path(name)
        write_tables(root / "tables", options.rows)
        tables = measured(root / "tables", options.workers, options.format, None)
        paths = write_frame_files(root / "files" / "npz", options.files)
        write_tables(root / "files", options.files)
        loop_s = plain_loop(paths, root / "loop.npz")
        files = measured(root / "files", options.workers, "parquet", root / "files" / "npz")
    loop_rate, our_rate = options.files / loop_s, tables["rows"] / tables["s"]
    return {
        "rows": tables["rows"], "s": tables["s"], "rows_per_s": our_rate,
        "peak_mb": tables["mb"], "worker_mb": tables["worker_mb"],
        "files": options.files, "loop_s": loop_s, "loop_rows_per_s": loop_rate,
        "ratio": our_rate / loop_rate, "from_files_s": files["s"],
        "from_files_ratio": files["rows"] / files["s"] / loop_rate,
    }  # fmt: skip


def main() -> None:
    """Print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--format", default="parquet", choices=("parquet", "npz"))
    parser.add_argument("--folder", type=Path, help="where the data may lie; default: /tmp")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = run(options)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'merge':<28}{'rows':>10}{'seconds':>10}{'rows/s':>10}")
    for name, n, s in (
        ("tables", found["rows"], found["s"]),
        ("plain loop over files", found["files"], found["loop_s"]),
        ("--detections-from files", found["files"], found["from_files_s"]),
    ):
        print(f"{name:<28}{n:>10,}{s:>10.1f}{n / s:>10,.0f}")
    print(
        f"tables: {found['ratio']:.1f} times the plain loop; peak memory {found['peak_mb']:.0f} MB"
    )
    print(f"files:  {found['from_files_ratio']:.1f} times the plain loop")


if __name__ == "__main__":
    main()
