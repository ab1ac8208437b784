"""The data of the claims: one workspace for each condition, made by `auglift simulate`.

A condition is a list of recipes of this folder, merged in their order. Its workspace is
`<root>/<condition>/`, so that data sets keep their names in all of them: with the same seed and
name, bodies, motions and cameras are the same, and only what the condition changes differs.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from auglift.config import load_config
from auglift.executors import Progress
from auglift.simulate import SimulateConfig, SimulateResult, simulate

RECIPES = Path(__file__).parent
DEFAULT, SYSTEMATIC, HALF, DOUBLE = "default", "systematic", "half", "double"
HALF_DEPTH, DOUBLE_DEPTH = "half-depth", "double-depth"
NOISES = (DEFAULT, HALF_DEPTH, DOUBLE_DEPTH, HALF, DOUBLE, SYSTEMATIC)
"""Sizes and kinds of errors, each learned from and tested under."""
STUDY, STUDY_UNSEEN = "study", "study-systematic"
RADII = ("radius-paper", "radius-fixed")
VIEWS = (1, 2, 4, 8, 16)

MOTIONS = {
    "cmu": ("cmu_h36m17.npz",),
    "uiprmd": ("uiprmd_h36m17.npz",),
    "both": ("cmu_h36m17.npz", "uiprmd_h36m17.npz"),
}
"""Files of each data set, in the folder of motions."""

VALIDATION = {"cmu": ("CMU07", "CMU94"), "uiprmd": ("S07",), "both": ("CMU07", "CMU94", "S07")}
"""Training subjects that choose the best epoch: about a tenth of the rows."""


def recipes_of(condition: str, dataset: str, tiny: bool = False) -> list[Path]:
    """The files of a data set under a condition, the last one having the last word."""
    names = [dataset, *([] if condition == DEFAULT else [condition]), *(["tiny"] if tiny else [])]
    return [RECIPES / f"{name}.yaml" for name in names]


def validation_subjects(condition: str, dataset: str, tiny: bool = False) -> tuple[str, ...]:
    """The virtual subjects to validate on: all bodies that do those subjects' motions."""
    if tiny:
        return ("S3",)
    subjects, n_bodies = VALIDATION[dataset], _n_bodies(condition, dataset)
    if n_bodies == 1:
        return subjects
    return tuple(f"{subject}-*" for subject in subjects)


def make_data(
    root: Path,
    condition: str,
    dataset: str,
    motion: Path | None,
    workers: int,
    progress: Progress,
) -> SimulateResult:
    """Simulate a data set under a condition, or find it done; without motion files a tiny one."""
    files = () if motion is None else tuple(motion / name for name in MOTIONS[dataset])
    flags = {
        "root": root / condition, "motion": [str(path) for path in files] or None,
        "workers": workers,
    }  # fmt: skip
    return simulate(config_of(condition, dataset, motion is None, flags), progress)


@cache
def _n_bodies(condition: str, dataset: str) -> int:
    return config_of(condition, dataset).bodies


def config_of(
    condition: str, dataset: str, tiny: bool = False, flags: dict[str, object] | None = None
) -> SimulateConfig:
    """The settings of `auglift simulate`."""
    files = recipes_of(condition, dataset, tiny)
    return load_config(SimulateConfig, files=files, environment={}, flags=flags)
