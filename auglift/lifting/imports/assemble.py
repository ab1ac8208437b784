"""A draft → a lifter that runs: tensors compared by name and shape, loaded, and tried once."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from auglift.errors import ConfigError, ModelError
from auglift.lifting.imports.checkpoint_file import Weights
from auglift.lifting.models import build_model
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.spec import LifterSpec

# A counter that normalisation needs in training only; VideoPose3D's first files are older than it.
_COUNTER = "num_batches_tracked"
_AT_MOST = 4


def assemble(spec: LifterSpec, weights: Weights) -> LifterModel:
    """The model with these weights, in evaluation mode."""
    try:
        model = build_model(spec.arch, **spec.model)
    except ConfigError as error:
        raise ModelError(error.what, hint="--set model.heads=4, or what differs") from error
    wanted = model.state_dict()
    given = {n: v for n, v in wanted.items() if n.endswith(_COUNTER)} | weights
    _compare(given, wanted)
    model.load_state_dict(given)
    _try(model.eval(), spec)
    return model


def _compare(given: Weights, wanted: Weights) -> None:
    shapes = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    wrong = {
        "lacks": [name for name in wanted if name not in given],
        "has besides": [name for name in given if name not in wanted],
        "has": shapes,
    }
    said = [f"it {how} {_listed(names)}" for how, names in wrong.items() if names]
    if said:
        raise ModelError(
            f"the tensors are not all those of the network that its names promise: "
            f"{'; '.join(said)}",
            hint="a variant of the architecture that is not known here, or a damaged file",
        )


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    rest = f" and {len(names) - _AT_MOST} more" if len(names) > _AT_MOST else ""
    return ", ".join(names[:_AT_MOST]) + rest


@torch.no_grad()
def _try(model: LifterModel, spec: LifterSpec) -> None:
    """One window must give finite numbers."""
    shape = (2, model.receptive_field, spec.model["n_joints"], spec.model["in_channels"])
    poses = model(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    if not bool(poses.isfinite().all()):
        raise ModelError("the network puts out values that are not finite: its weights are damaged")
