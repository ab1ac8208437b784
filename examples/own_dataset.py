"""Your own dataset, from arrays to an evaluated, fine-tuned lifter.

Usage: python examples/own_dataset.py [FOLDER]     (running it again resumes)

The arrays here are made up; put yours in their place (`my_arrays`). What a file may hold is listed
in `auglift/datasets/imports/own.py` and in the README. With your own pictures leave the detections
out and run `auglift detect-depth` between the two steps.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from auglift.evaluate import EvaluateConfig, evaluate
from auglift.lifting.spec import FeatureConfig
from auglift.merge import MergeConfig, merge
from auglift.preprocess import PreprocessConfig, preprocess
from auglift.simulate import SimulateConfig, simulate
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace
from auglift.train import TrainConfig, train

BOTH = {
    "arch": "tcn",
    "frames": 1,
    "model": {"channels": 128},
    "features": FeatureConfig(variant="casp"),
    "device": "cpu",
}


def my_arrays(folder: Path) -> dict[str, np.ndarray]:
    """Stand-in for your recordings: people in a street, seen by somebody else's cameras."""
    simulate(
        SimulateConfig(
            root=folder, scene="street", train_subjects=4, test_subjects=1, seed=7, views=2,
            actions=("squat", "wave", "walk"), seconds=2.0, workers=1,
        )
    )  # fmt: skip
    tables = [
        read_table(Workspace(folder).xycd("virtual", split), "xycd") for split in ("train", "test")
    ]
    names = ("pose_3d", "keypoints_2d", "visible", "image_wh", "intrinsics", "sequence", "frame",
             "person", "subject", "action", "split", "joints_2d", "joint_confidence",
             "depth_m")  # fmt: skip
    return {name: np.concatenate([table[name] for table in tables]) for name in names}


def main(root: Path) -> None:
    """Learn from the simulator, go on with your data, and see what that gained."""
    # 1. One file with everything, and from it the tables.
    root.mkdir(parents=True, exist_ok=True)
    arrays = my_arrays(root / "recordings")
    texts = {name: array.astype(str) for name, array in arrays.items() if array.dtype == object}
    np.savez(root / "mine.npz", **arrays | texts, fps=30.0)
    preprocess(PreprocessConfig(root=root, files=(root / "mine.npz",)))
    merge(MergeConfig(root=root, dataset="mine"))

    # 2. A lifter from elsewhere; here one that has seen the simulator's lab.
    simulate(SimulateConfig(root=root, train_subjects=3, test_subjects=1, views=2, workers=1))
    base = train(TrainConfig(root=root, dataset=("virtual",), name="base", epochs=10, **BOTH))

    # 3. Go on with your data, gently.
    tuned = train(
        TrainConfig(
            root=root, dataset=("mine",), name="tuned", init_from=str(base.checkpoint),
            epochs=25, batch_size=64, **BOTH,
        )
    )  # fmt: skip

    # 4. Before and after, on the person whom neither has seen.
    tested = evaluate(
        EvaluateConfig(
            root=root,
            dataset=("mine",),
            checkpoint=(str(base.checkpoint), str(tuned.checkpoint)),
            protocol=("p1", "p2"),
            device="cpu",
        )
    )
    for cell in tested.cells:
        errors = ", ".join(f"{r.protocol} {r.overall:.1f} {r.unit}" for r in cell.results)
        print(f"{cell.label} on {cell.dataset}: {errors}")


# The guard matters: worker processes import this file.
if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "own_dataset"))
