"""The six stages from Python: every command is a function with a config class.

Usage: python examples/walk.py [FOLDER]     (running it again resumes)
"""

from __future__ import annotations

import sys
from pathlib import Path

from auglift.detect_depth import DetectDepthConfig, detect_depth
from auglift.evaluate import EvaluateConfig, evaluate
from auglift.film import FilmConfig, film
from auglift.lifting.spec import FeatureConfig
from auglift.merge import MergeConfig, merge
from auglift.preprocess import PreprocessConfig, preprocess
from auglift.train import TrainConfig, train


def main(root: Path) -> None:
    """Film two people, learn from one, test on the other."""
    film(
        FilmConfig(
            root=root, scene="lab", actions=("squat", "wave"), train_subjects=2, test_subjects=1,
            seconds=1.0, rate_hz=5.0, size=0.15,
        )
    )  # fmt: skip
    preprocess(PreprocessConfig(root=root))
    detect_depth(DetectDepthConfig(root=root))
    print(merge(MergeConfig(root=root)))
    train(
        TrainConfig(
            root=root,
            frames=1,
            epochs=3,
            features=FeatureConfig(variant="casp"),
            model={"channels": 64},
        )
    )
    for result in evaluate(EvaluateConfig(root=root, protocol=("p1", "p2"))).results:
        print(f"{result.protocol}: {result.overall:.1f} {result.unit}")


# The guard matters: worker processes import this file.
if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "walk"))
