"""Training: samples a second, and which share of the time the network itself takes.

    python bench/train.py                                              one core of a CPU
    python bench/train.py --arch tcn-243 --arch poseformer-81 --device cuda --precision bf16 \\
        --rows 1560000 --batch-size 1024 --steps 100                   as large as Human3.6M

A step is timed as training does it: windows gathered, augmented (by default as `auglift train`
does), made into features, learned from. The share is one minus the time of making the same batches
alone. On a GPU every timed step runs with `torch.cuda.set_sync_debug_mode("error")`: a step that
makes the host wait ends the benchmark.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable

import numpy as np
import torch

from auglift.lifting.augment import Dice
from auglift.lifting.batches import Windows
from auglift.lifting.data import PoseData, load_pose_data
from auglift.lifting.distributed import World
from auglift.lifting.models import build_model
from auglift.lifting.presets import resolve
from auglift.lifting.recipe import Recipe
from auglift.lifting.samples import table_samples
from auglift.lifting.spec import FeatureConfig, LifterSpec
from auglift.lifting.trainer import Trainer

N_JOINTS = 17
FRAMES_PER_TRACK = 2_500
WARM_UP_STEPS = 3


def make_table(n_rows: int, device: str) -> PoseData:
    """Rows of people in front of a pinhole camera, all different; their values do not matter."""
    rng = np.random.default_rng(0)
    pose = rng.normal(0.0, 0.3, (n_rows, N_JOINTS, 3)).astype(np.float32)
    pose[..., 2] += 4.0
    columns = {
        "pose_3d": pose,
        "joints_2d": 1000.0 * pose[..., :2] / pose[..., 2:] + 500.0,
        "joint_confidence": np.full((n_rows, N_JOINTS), 0.8, np.float32),
        "depth_m": np.repeat(pose[..., 2:], 6, axis=-1),
        "depth_valid": np.ones((n_rows, N_JOINTS), bool),
        "detected": np.ones(n_rows, bool),
        "visible": np.ones((n_rows, N_JOINTS), bool),
        "image_wh": np.full((n_rows, 2), 1000, np.int32),
    }
    starts = np.append(np.arange(0, n_rows, FRAMES_PER_TRACK), n_rows)
    return load_pose_data(columns, starts, np.full(len(starts) - 1, 25.0), device)


def make_trainer(
    data: PoseData, preset_name: str, recipe: Recipe, device: str, world: World | None = None
) -> Trainer:
    """A trainer as `auglift train --arch … --variant casp` makes it."""
    preset, features = resolve(preset_name), FeatureConfig()
    arguments = {
        "in_channels": len(features.channels), "frames": preset.frames, **preset.arguments,
    }  # fmt: skip
    torch.manual_seed(0)
    model = build_model(preset.arch, **arguments)
    spec = LifterSpec(arch=preset.arch, model=arguments, features=features)
    samples = table_samples(data, model, spec, recipe)
    return Trainer(model, spec, samples, recipe, device, world)


def seconds(work: Callable[[], object], steps: int, device: str) -> float:
    """Seconds for each of `steps` calls; the host waits for the device only at the end."""
    for _ in range(WARM_UP_STEPS):
        work()
    cuda = device.startswith("cuda")
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
    start = time.perf_counter()
    for _ in range(steps):
        work()
    if cuda:
        torch.cuda.set_sync_debug_mode("default")
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps


def measure(data: PoseData, name: str, options: argparse.Namespace) -> dict[str, object]:
    """One architecture's numbers."""
    recipe = Recipe(batch_size=options.batch_size, precision=options.precision)
    trainer = make_trainer(data, name, recipe, options.device)
    trainer.model.train()
    (portion,) = trainer.samples.epoch(torch.Generator().manual_seed(0))
    ((_, rows),) = portion.take(0, options.batch_size)
    dice = Dice(torch.Generator(options.device).manual_seed(0), len(rows))

    def gather() -> Windows:
        return trainer.batches.gather(data, rows)

    if options.device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    data_s = seconds(lambda: trainer.batches.make(gather(), dice), options.steps, options.device)
    step_s = seconds(lambda: trainer.step(gather(), dice, False), options.steps, options.device)
    poses = len(rows) * (trainer.model.receptive_field if trainer.model.sequence else 1)
    found: dict[str, object] = {
        "arch": name,
        "samples_per_s": len(rows) / step_s,
        "poses_per_s": poses / step_s,
        "network_share": 1.0 - data_s / step_s,
        "step_ms": 1000 * step_s,
        "data_ms": 1000 * data_s,
        "epoch_min": math.ceil(trainer.samples_per_epoch / len(rows)) * step_s / 60,
    }
    if options.device.startswith("cuda"):
        found["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return found


def main() -> None:
    """Print one table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", action="append", help="preset; may be repeated")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"))
    parser.add_argument("--threads", type=int, default=1, help="cores of the CPU")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = make_table(options.rows, options.device)
    found = [measure(data, name, options) for name in options.arch or ("tcn-27", "poseformer-27")]
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'':<16}{'samples/s':>11}{'in network':>12}{'step ms':>10}{'epoch min':>11}{'GB':>7}")
    for one in found:
        print(
            f"{one['arch']:<16}{one['samples_per_s']:>11,.0f}{one['network_share']:>12.0%}"
            f"{one['step_ms']:>10.1f}{one['epoch_min']:>11.2f}{one.get('peak_gb', 0.0):>7.1f}"
        )


if __name__ == "__main__":
    main()
