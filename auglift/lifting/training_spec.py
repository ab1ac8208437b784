"""The spec of the lifter that is to be trained: from the settings, and from the tables' own words.

In: what is wanted, the tables to learn from, and columns of their rows. Out: the whole
`LifterSpec`, with the arguments that build the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from torch import Tensor

from auglift.errors import ConfigError, DataError
from auglift.geometry.skeleton import get_skeleton
from auglift.lifting.batches import POSE_CHANNELS, task_channels
from auglift.lifting.fitting import fit_spec
from auglift.lifting.models import arguments_of
from auglift.lifting.presets import resolve
from auglift.lifting.spec import DepthControl, FeatureConfig, LifterSpec
from auglift.storage.table_metadata import TableMetadata

_FEATURE_ROLES = ("poses2d", "depth")


class RowsOfTable(Protocol):
    """A table, wherever its rows are."""

    @property
    def metadata(self) -> TableMetadata:
        """What it says of itself."""
        ...

    def __len__(self) -> int: ...


def make_spec(
    wanted: LifterSpec,
    tables: Sequence[RowsOfTable],
    columns: Mapping[str, Tensor],
    *,
    frames: int | None,
    task: str,
    depth: DepthControl,
    val_split: str,
) -> LifterSpec:
    """The whole spec: its architecture by preset, and what its training rows say of it.

    `tables` are those to learn from, `columns` (N, …) all or many of their rows. `wanted.arch` may
    be a preset; `wanted.model` are the arguments that differ from it.
    """
    preset, metadata = resolve(wanted.arch), tables[0].metadata
    if depth in ("measured", "shuffled"):
        _require_metres(wanted, tables)
    if wanted.features.uses_features:
        wanted = replace(wanted, features=_with_pooling(wanted.features, tables))
    facts = {
        "tables": [[t.metadata.dataset, len(t)] for t in tables],
        "depth": depth,
        "task": task,
        "chosen_on": val_split,
        **_feature_networks(wanted.features, tables),
    }
    spec = replace(wanted, skeleton=metadata.skeleton, data=facts, **_radius(metadata.config))
    spec = fit_spec(spec, columns, _feature_sizes(tables) if spec.features.uses_features else ())
    arguments = {
        "n_joints": columns["joints_2d"].shape[-2],
        "in_channels": task_channels(spec, task)[0],
        "frames": frames or preset.frames,
        **_of_the_skeleton(preset.arch, spec.skeleton),
        **_of_the_output(preset.arch, spec, task),
        **preset.arguments,
        **wanted.model,
    }
    around = _around(spec.features, task, bool(arguments.pop("depth_pathway", False)))
    return replace(spec, arch=preset.arch, model=arguments | around)


def _of_the_skeleton(arch: str, skeleton: str) -> dict[str, Any]:
    """The skeleton's name, for lifters that know its bones."""
    return {"skeleton": skeleton} if "skeleton" in arguments_of(arch) else {}


def _of_the_output(arch: str, spec: LifterSpec, task: str) -> dict[str, Any]:
    """Where it is not three numbers for every joint, which is every architecture's default."""
    _, n_out = task_channels(spec, task)
    if n_out != POSE_CHANNELS:
        return {"out_channels": n_out}
    if task != "2d3d" or spec.target.root == "kept":
        return {}
    if "out_joints" not in arguments_of(arch):
        raise ConfigError(
            f"{arch} puts out every joint that goes in: its root cannot be removed",
            hint="--set target.root=kept, or --arch tcn or simple",
        )
    return {"out_joints": get_skeleton(spec.skeleton).n_joints - 1}


def _feature_sizes(tables: Sequence[RowsOfTable]) -> tuple[int, ...]:
    """Widths of the groups of features, where the tables say them; all must say the same."""
    said = {tuple(t.metadata.extra.get("feature_sizes", ())) for t in tables}
    if len(said) > 1:
        raise DataError(
            f"the tables' features are of different networks: {sorted(said)} numbers a joint",
            hint="auglift detect-depth with the same models for all data sets",
        )
    return said.pop()


def _with_pooling(features: FeatureConfig, tables: Sequence[RowsOfTable]) -> FeatureConfig:
    """How the tables' features were read, as far as they say it; all must say the same."""
    said = {_detection_settings(t.metadata.config).get("features") or "" for t in tables}
    if len(said) > 1:
        raise DataError(
            f"the tables' features were read differently: {', '.join(sorted(said))}",
            hint="auglift detect-depth --features, the same for all data sets",
        )
    return replace(features, feature_pooling=said.pop() or features.feature_pooling)


def _feature_networks(
    features: FeatureConfig, tables: Sequence[RowsOfTable]
) -> dict[str, dict[str, list[str]]]:
    """Name and hash of the networks whose features are learned from: no others will do."""
    if not features.uses_features:
        return {}
    each = [
        {role: t.metadata.models[role] for role in _FEATURE_ROLES if role in t.metadata.models}
        for t in tables
    ]
    if any(other != each[0] for other in each):
        names = sorted({record.id for models in each for record in models.values()})
        raise DataError(
            f"the tables' features are of different networks: {', '.join(names)}",
            hint="auglift detect-depth with the same models for all data sets",
        )
    return {"networks": {role: [record.id, record.sha256] for role, record in each[0].items()}}


def _require_metres(spec: LifterSpec, tables: Sequence[RowsOfTable]) -> None:
    """Refuse to take a network's depth for a distance where it is none."""
    asks = [
        setting
        for setting, is_asked in (
            ("features.scale=depth", spec.features.scale == "depth"),
            ("target.factor=depth", spec.target.factor == "depth"),
        )
        if is_asked
    ]
    for table in tables if asks else ():
        kind = table.metadata.extra.get("depth_kind") or "metric"
        if kind != "metric":
            raise DataError(
                f"{asks[0]} needs distances in metres, and the depth of {table.metadata.dataset} "
                f"is {kind}",
                hint="auglift detect-depth with a metric depth network, such as "
                "depth-anything-v2-small-indoor; or another setting",
            )


def _around(features: FeatureConfig, task: str, depth_pathway: bool) -> dict[str, Any]:
    """What `build_model` is to put around the lifter: projected feature maps, a path for depth."""
    if depth_pathway and not (features.depth_channels and task != "3d3d"):
        raise ConfigError(
            f"model.depth_pathway is a path for depths, and {features.variant} ({task}) has none",
            hint="choose a variant with depth, such as casp",
        )
    around: dict[str, Any] = {}
    if depth_pathway:
        around["depth_channels"] = features.depth_channels
    if features.uses_features and task != "3d3d":
        around["feature_groups"] = features.feature_sizes
    return around


def _radius(settings: Mapping[str, Any]) -> dict[str, Any]:
    """How the table's discs were drawn: by detect-depth, or by simulate itself."""
    found = _detection_settings(settings)
    names = ("radius_rule", "r_min_px", "r_max_px")
    return {name: found[name] for name in names if name in found}


def _detection_settings(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those of detect-depth, or of simulate in its place."""
    found: Mapping[str, Any] = settings.get("detect_depth", settings)
    return found
