"""Starting from the weights of another lifter: fine-tuning, or what pre-training is for.

In: a model, and a checkpoint of the same architecture. The layers that meet the input and the
output may differ (another variant, another task); those keep their random beginnings.
"""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor

from auglift.errors import ModelError
from auglift.lifting.checkpoint import load_lifter
from auglift.lifting.models import build_model
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.spec import LifterSpec

# The arguments of `build_model` on which the first and the last layer depend, with their defaults,
# and those that put something around the lifter.
ENDS: dict[str, object] = {
    "in_channels": 2, "out_channels": 3, "out_joints": None, "depth_channels": (),
    "feature_groups": (),
}  # fmt: skip

# What `models/wrapper.py` calls the lifter inside.
INSIDE = "base."

# Tensors that a message names.
_AT_MOST = 4

logger = logging.getLogger(__name__)


def initialise(model: LifterModel, spec: LifterSpec, path: Path) -> tuple[str, ...]:
    """Copy the weights at `path` into `model`, which `spec` describes; what was left out."""
    source, source_spec = load_lifter(path)
    if source_spec.arch != spec.arch:
        raise ModelError(
            f"these are weights of a {source_spec.arch}, not of a {spec.arch}",
            where=path,
            hint=f"--arch {source_spec.arch}",
        )
    given, wanted = _tensors(source), _tensors(model)
    different = _different(given, wanted)
    refused = sorted(different - _ends(spec, source_spec))
    if refused:
        some = ", ".join(_shapes(name, given, wanted) for name in refused[:_AT_MOST])
        more = f" and {len(refused) - _AT_MOST} others" if len(refused) > _AT_MOST else ""
        raise ModelError(
            f"the weights do not fit: {some}{more}",
            where=path,
            hint="give the new lifter the frames and widths of the old one; --show-config and the "
            "old run's config.yaml say them",
        )
    with torch.no_grad():
        for name in given.keys() - different:
            wanted[name].copy_(given[name])
    left_out = tuple(sorted(different & wanted.keys()))
    kept = f"; {', '.join(left_out)} begin at random" if left_out else ""
    logger.info("weights of %s%s", path, kept)
    return left_out


def _tensors(model: LifterModel) -> dict[str, Tensor]:
    """The model's own tensors, named as if nothing were around the lifter."""
    return {name.replace(INSIDE, ""): tensor for name, tensor in model.state_dict().items()}


def _ends(spec: LifterSpec, source: LifterSpec) -> set[str]:
    """The tensors that follow from what goes in and comes out.

    They are found by building the wanted lifter with the ends of the given one.
    """
    ends = {name: source.model.get(name, default) for name, default in ENDS.items()}
    # Not every architecture takes the words that say what is its default.
    changed = {n: v for n, v in ends.items() if v != spec.model.get(n, ENDS[n])}
    twin = build_model(spec.arch, **{**spec.model, **changed})
    return _different(_tensors(twin), _tensors(build_model(spec.arch, **spec.model)))


def _different(a: dict[str, Tensor], b: dict[str, Tensor]) -> set[str]:
    """Names that only one has, or whose shapes differ."""
    return {n for n in a.keys() | b.keys() if n not in a or n not in b or a[n].shape != b[n].shape}


def _shapes(name: str, given: dict[str, Tensor], wanted: dict[str, Tensor]) -> str:
    shapes = [str(tuple(d[name].shape)) if name in d else "none" for d in (given, wanted)]
    return f"{name} has {shapes[0]}, wanted {shapes[1]}"
