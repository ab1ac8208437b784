"""What PoseFormer's many-to-many form gives and loses: errors and speed beside many-to-one.

    python bench/m2m.py [--epochs 6] [--channels 16] [--frames 9]

Both learn the same windows of the same simulated people for the same number of epochs (small, so
that two cores finish in minutes), and are tested on people whom neither has seen. Many-to-one gives
one pose per window; many-to-many the central third of each window, so a window is read a third as
often.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from auglift.evaluate import EvaluateConfig, evaluate
from auglift.lifting.lifter import Lifter
from auglift.lifting.on_tables import columns_of, lift_table
from auglift.lifting.spec import FeatureConfig
from auglift.simulate import SimulateConfig, simulate
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace
from auglift.train import TrainConfig, train

ARCHITECTURES = ("poseformer", "poseformer-m2m")


def main() -> None:
    """Train, test and time both."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"epochs": 6, "channels": 16, "frames": 9, "subjects": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        simulate(
            SimulateConfig(root=root, train_subjects=options.subjects, test_subjects=2, views=1,
                           seconds=12.0, every=2, workers=2)
        )  # fmt: skip
        table = Workspace(root).xycd("virtual", "test")
        rates = {}
        for arch in ARCHITECTURES:
            run = train_one(root, arch, options)
            tested = evaluate(
                EvaluateConfig(root=root, checkpoint=(str(run),), protocol=("p1", "p2"))
            )
            errors = ", ".join(f"{r.protocol} {r.overall:.1f} {r.unit}" for r in tested.results)
            rates[arch] = poses_per_second(run, table)
            print(f"{arch:15} {errors}, {rates[arch]:,.0f} poses/s")
        print(f"many-to-many lifts {rates['poseformer-m2m'] / rates['poseformer']:.1f} × as fast")


def train_one(root: Path, arch: str, options: argparse.Namespace) -> Path:
    """The checkpoint."""
    config = TrainConfig(
        root=root,
        dataset=("virtual",),
        name=arch,
        arch=arch,
        frames=options.frames,
        model={"channels": options.channels, "layers": 2},
        features=FeatureConfig(variant="casp"),
        epochs=options.epochs,
        batch_size=128,
        lr=1e-3,
        device="cpu",
    )
    return train(config).checkpoint


def poses_per_second(checkpoint: Path, path: Path) -> float:
    """Of lifting a whole table, best of three."""
    lifter = Lifter.open(checkpoint)
    table = read_table(path, "xycd", columns_of(lifter.spec, "measured"))
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        lift_table(lifter, table, "measured", False)
        best = max(best, len(table) / (time.perf_counter() - start))
    return best


if __name__ == "__main__":
    main()
