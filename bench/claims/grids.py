"""What is trained for the claims: parts, each of some `Sweep`s, each a grid of `auglift sweep`.

Sizes are for CPUs: small networks and few epochs, the same for all variants of one architecture,
so that differences between variants mean something and absolute errors little.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from conditions import (
    DEFAULT,
    NOISES,
    RADII,
    STUDY,
    STUDY_UNSEEN,
    VIEWS,
    validation_subjects,
)

from auglift.lifting.recipe import AugmentConfig
from auglift.sweep import SweepConfig

Axis = tuple[str, ...]

TRUE = "'true'"
"""A bare one would be YAML's boolean in the records."""
SEEDS: Axis = ("0", "1", "2")
TESTS = ("cmu", "uiprmd")
VARIANTS: Axis = ("xy", "xyc", "xycd", "casp")
FASTEST = "simple"
TINY_ARCHITECTURES = ("simple", "tcn")
VIEW_EPOCHS = 32
"""Epochs with one view; with v views 1/v of them, so that all take as many steps."""

ARCHITECTURES: dict[str, dict[str, Any]] = {
    # SimpleBaseline, half as wide as published.
    "simple": {
        "arch": "simple", "batch_size": 256, "epochs": 6,
        "model": {"channels": 512, "dropout": 0.1},
    },
    "tcn": {
        "arch": "tcn", "frames": 9, "batch_size": 256, "epochs": 6,
        "model": {"channels": 256, "dropout": 0.1},
    },
    "poseformer": {
        "arch": "poseformer", "frames": 5, "batch_size": 64, "stride": 3, "epochs": 6,
        "clip_norm": 1.0,
        "model": {"channels": 16, "layers": 2, "heads": 2},
    },
    # Answers for all frames of a clip, so few clips are many poses. With clips of 27 frames, 8 in a
    # step, too few people met: worse after five epochs than these after two.
    "motionbert": {
        "arch": "motionbert", "frames": 9, "batch_size": 32, "epochs": 4,
        "clip_norm": 1.0,
        "model": {"channels": 32, "rep_channels": 64, "layers": 2, "heads": 2},
    },
}  # fmt: skip

TEMPORAL = "vit"
"""What `lift-base` is."""
NETWORKS = {
    **ARCHITECTURES,
    TEMPORAL: {
        "arch": "vit", "frames": 9, "batch_size": 32, "epochs": 4, "lr": 2e-3, "clip_norm": 1.0,
        "model": {"channels": 64, "layers": 4, "heads": 4, "dropout": 0.0},
    },
}  # fmt: skip

SHARED: dict[str, Any] = {
    "fps": 12.5, "lr": 3e-3, "schedule": "cosine", "warmup_epochs": 0.25, "curves": False,
}  # fmt: skip


UNSPOILT = "unspoilt"
"""Learned without the random changes of depth that training adds by default."""
PLAIN_DEPTH = {
    "augment": AugmentConfig(
        depth_scale=0.0, depth_shift_m=0.0, depth_gain=0.0, depth_tilt_deg=0.0,
        depth_noise_m=0.0, depth_drop=0.0,
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One grid: an architecture that learns from one data set."""

    part: str
    arch: str
    """A key of `NETWORKS`."""
    trained_on: str
    axes: dict[str, Axis]
    condition: str = DEFAULT
    """Of the data that it learns from."""
    tested_under: Axis = (DEFAULT,)
    """Conditions of the test data."""
    settings: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    """Tells it from the part's other grids of the same architecture and data."""

    @property
    def name(self) -> str:
        """Of the sweep, and how the names of its runs begin."""
        return "-".join(filter(None, (self.part, self.label, self.arch, self.trained_on)))

    def seeded(self, n_seeds: int) -> Sweep:
        """With the first seeds only."""
        seeds = self.axes.get("seed", ("0",))[:n_seeds]
        return replace(self, axes={**self.axes, "seed": seeds})

    def config(self, root: Path, workers: int, device: str, tiny: bool) -> SweepConfig:
        """As `auglift sweep` takes it; `tiny` keeps the grid and shrinks what is done in it."""
        settings = {**SHARED, **NETWORKS[self.arch], **self.settings}
        settings |= _tiny(self.arch) if tiny else {}
        grid = tuple(f"{key}={','.join(values)}" for key, values in self.axes.items())
        return SweepConfig(
            root=root / self.condition,
            dataset=(self.trained_on,),
            name=self.name,
            grid=grid,
            val_subjects=validation_subjects(self.condition, self.trained_on, tiny),
            workers=workers,
            device=device,
            **settings,
        )


def _tiny(arch: str) -> dict[str, Any]:
    """One epoch of a small network: for the test of this folder."""
    return {"epochs": 1, "model": {**NETWORKS[arch]["model"], "channels": 8}}


def _core(part: str, trained_on: Axis, seeds: Axis = SEEDS) -> tuple[Sweep, ...]:
    axes = {"features.variant": VARIANTS, "seed": seeds}
    return tuple(
        Sweep(part=part, arch=arch, trained_on=dataset, axes=axes)
        for arch in ARCHITECTURES
        for dataset in trained_on
    )


def _controls() -> tuple[Sweep, ...]:
    axes = {"depth": (TRUE, "shuffled", "constant"), "seed": SEEDS[:1]}
    casp = {"features.variant": ("casp",)}
    return tuple(
        Sweep(part="controls", arch=arch, trained_on=dataset, axes=casp | axes)
        for arch in ARCHITECTURES
        for dataset in TESTS
    )


def _fastest(part: str, axes: dict[str, Axis], **others: Any) -> Sweep:
    """One seed of the fastest architecture on CMU, unless told otherwise."""
    seeded = {**axes, "seed": SEEDS[:1]}
    return Sweep(**{"part": part, "arch": FASTEST, "trained_on": "cmu", "axes": seeded, **others})


def _variants() -> tuple[Sweep, ...]:
    others = ("xyd", "casp-code", "stats", "ordinal")
    oracle = {"features.variant": ("ordinal",), "depth": (TRUE,)}
    return tuple(
        sweep
        for dataset in TESTS
        for sweep in (
            _fastest("variants", {"features.variant": others}, trained_on=dataset),
            _fastest("variants", oracle, trained_on=dataset, label="oracle"),
        )
    )


def _scales() -> tuple[Sweep, ...]:
    axes = {"features.variant": ("xy", "casp")}
    scales = {**axes, "features.scale": ("none", "box", "depth")}
    canonical = {**axes, "features.keypoints": ("canonical",)}
    return (_fastest("scale", scales), _fastest("scale", canonical, label="canonical"))


def _noise() -> tuple[Sweep, ...]:
    """Trained under one size or kind of errors, tested under the same and under the others."""
    axes = {"features.variant": ("xy", "xyc", "xycd", "casp")}
    return (
        *(_fastest("noise", axes, condition=one, tested_under=NOISES, label=one) for one in NOISES),
        _fastest("noise", axes, tested_under=NOISES, label=UNSPOILT, settings=PLAIN_DEPTH),
    )


def _radii() -> tuple[Sweep, ...]:
    axes = {"features.variant": ("xycd", "casp")}
    return tuple(
        _fastest("radius", axes, condition=rule, tested_under=(rule,), label=rule)
        for rule in (DEFAULT, *RADII)
    )


def _views() -> tuple[Sweep, ...]:
    axes = {"features.variant": ("xy", "casp")}
    return tuple(
        _fastest(
            "views", axes, condition=f"views-{n}", label=str(n),
            settings={"epochs": VIEW_EPOCHS // n},
        )
        for n in VIEWS
    )  # fmt: skip


def _study() -> tuple[Sweep, ...]:
    """Under the first study's cameras and errors: one frame, the same with the true depth (what a
    network could do), several frames. Tested under its unseen family of depth errors as well, which
    only those that learn from unspoilt depth have really not seen: spoiling bends and tilts.
    """
    casp = {"features.variant": ("casp",)}
    grid = partial(_fastest, "study", condition=STUDY, tested_under=(STUDY, STUDY_UNSEEN))
    return (
        grid({"features.variant": VARIANTS}),
        grid({**casp, "depth": (TRUE,)}, label="true"),
        grid(casp, label=UNSPOILT, settings=PLAIN_DEPTH),
        grid({"features.variant": ("xy", "casp")}, label="frames", arch=TEMPORAL),
        grid(casp, label=f"frames-{UNSPOILT}", arch=TEMPORAL, settings=PLAIN_DEPTH),
    )


PARTS: dict[str, tuple[Sweep, ...]] = {
    "core": _core("core", TESTS),
    "controls": _controls(),
    "both": _core("both", ("both",), SEEDS[:1]),
    "variants": _variants(),
    "noise": _noise(),
    "scale": _scales(),
    "radius": _radii(),
    "study": _study(),
    "views": _views(),
}
"""By name, in the order in which they are worth having."""


def sweeps_of(part: str, tiny: bool = False) -> tuple[Sweep, ...]:
    """Those of a part; `tiny` has the two cheapest architectures only."""
    return tuple(one for one in PARTS[part] if not tiny or one.arch in TINY_ARCHITECTURES)
