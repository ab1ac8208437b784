"""`auglift convert`: a checkpoint that another tool wrote → a lifter of ours.

In: a file of VideoPose3D, MMPose, PoseFormer, MotionBERT, MotionAGFormer or the AugLift repository,
read without running anything in it. Out: `work_dirs/<name>/best_model.safetensors`, or the file
that was asked for, with everything inside that its use asks for: sizes (read off the tensors), how
its input is made, what its output means. It was run once before it is kept.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from auglift.config import StageConfig, section, setting
from auglift.errors import AugliftError, ConfigError, ModelError, UsageError, unknown_name
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.lifting.imports.draft import Draft, Told
    from auglift.lifting.spec import LifterSpec

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ConvertConfig(StageConfig):
    """Which file, and what it does not say of itself."""

    checkpoint: Path | None = setting(None)
    """The file of the other tool."""

    tool: str | None = setting(None)
    """Whose it is; default: found by the names of its tensors."""

    stats: tuple[Path, ...] = setting(())
    """Files (.pkl, .npz) of means and standard deviations, for networks that z-score."""

    model: dict[str, Any] = section(dict)
    """Arguments of the architecture that no tensor shows, such as causal=true or heads=4."""

    features: dict[str, Any] = section(dict)
    """What its input has differently, such as variant=xyd."""

    target: dict[str, Any] = section(dict)
    """What its output has differently, such as factor=depth."""

    skeleton: str | None = setting(None)
    """Its joints, where their number leaves a choice."""

    fps: float | None = setting(None)
    """Frame rate that it was trained at; default: the tool's usual one."""

    name: str | None = setting(None, affects_result=False)
    """Name of the run; default: the tool's and the file's."""

    output: Path | None = setting(None, affects_result=False)
    """A .safetensors file to write instead of a run."""

    def __post_init__(self) -> None:
        if self.output is not None and self.output.suffix != ".safetensors":
            raise UsageError(
                f"'{self.output}' does not end in .safetensors", hint="-o lifter.safetensors"
            )
        if self.output is not None and self.name is not None:
            raise UsageError("a name is for a run, an output for a file: say one of them")
        if self.fps is not None and self.fps <= 0:
            raise ConfigError(f"fps must be positive, not {self.fps}")


@dataclass(frozen=True)
class ConvertResult:
    """What the file was found to be, and where it is now."""

    source: Path
    path: Path
    tool: str
    spec: LifterSpec
    n_parameters: int
    frames: int
    notes: tuple[str, ...]
    """What its user should know."""
    written: bool
    """Whether it was written now: not if it was there already, or only tried."""


def convert(config: ConvertConfig) -> ConvertResult:
    """Read, recognise, rebuild and try the network; write it, unless it is there already."""
    from auglift.lifting.checkpoint import save_lifter
    from auglift.lifting.imports import TOOLS, recognise
    from auglift.lifting.imports.assemble import assemble
    from auglift.lifting.imports.checkpoint_file import read_weights

    if config.checkpoint is None:
        raise UsageError("no checkpoint to convert", hint="auglift convert pretrained.bin")
    weights = read_weights(config.checkpoint)
    tool = recognise(weights, config.tool)
    logger.info("%s: a checkpoint of %s", config.checkpoint, tool)
    told = _told(config)
    try:
        draft = TOOLS[tool].draft(weights, told)
        spec = _whole_spec(draft.spec, config, config.checkpoint, tool)
        model = assemble(spec, draft.weights)
    except ModelError as error:
        raise ModelError(error.what, where=config.checkpoint, hint=error.hint) from error
    _check_statistics_used(spec, config)
    path = _place(config, config.checkpoint, tool)
    write = not config.dry_run and not _is_there(path, spec, config.overwrite)
    if write:
        save_lifter(path, model, spec)
    return ConvertResult(
        source=config.checkpoint,
        path=path,
        tool=tool,
        spec=spec,
        n_parameters=sum(parameter.numel() for parameter in model.parameters()),
        frames=model.receptive_field,
        notes=(*draft.notes, *_unit_notes(draft, spec)),
        written=write,
    )


def _told(config: ConvertConfig) -> Told:
    from auglift.lifting.imports.draft import Told
    from auglift.lifting.imports.statistics import read_statistics

    return Told(
        variant=config.features.get("variant"),
        skeleton=config.skeleton,
        stats=read_statistics(config.stats),
    )


def _whole_spec(spec: LifterSpec, config: ConvertConfig, source: Path, tool: str) -> LifterSpec:
    """What the tensors say, changed by what the user says, and where it all comes from."""
    from auglift.storage.fetch import file_sha256

    return replace(
        spec,
        model={**spec.model, **config.model},
        features=_changed(spec.features, config.features, "features"),
        target=_changed(spec.target, config.target, "target"),
        fps=config.fps or spec.fps,
        data={"converted_from": tool, "file": source.name, "sha256": file_sha256(source)},
    )


def _changed(values: T, changes: Mapping[str, Any], where: str) -> T:
    known = [f.name for f in fields(cast(Any, values))]
    for name in changes:
        if name not in known:
            raise unknown_name(f"key of {where}", name, known)
    tuples = {n: tuple(v) if isinstance(v, list) else v for n, v in changes.items()}
    return cast(T, replace(cast(Any, values), **tuples))


def _check_statistics_used(spec: LifterSpec, config: ConvertConfig) -> None:
    if config.stats and "zscore" not in (spec.features.keypoints, spec.target.convention):
        raise UsageError("this network does not z-score: there is no use for --stats")


def _unit_notes(draft: Draft, spec: LifterSpec) -> tuple[str, ...]:
    if spec.target.metric:
        return ()
    return (
        "its poses are in units of the picture and no metres can be made of them; with a depth map "
        "at hand they can: --set target.factor=depth",
    )


def _place(config: ConvertConfig, source: Path, tool: str) -> Path:
    if config.output is not None:
        return config.output
    stem = re.sub(r"[^\w.+=-]+", "-", source.name.partition(".")[0])
    return Workspace(config.root).run(config.name or f"{tool}_{stem}".rstrip("_")).best_model


def _is_there(path: Path, spec: LifterSpec, overwrite: bool) -> bool:
    """Whether the very same conversion is there; anything else is not written over unasked."""
    from auglift.lifting.checkpoint import load_lifter

    if overwrite or not path.exists():
        return False
    try:
        found = json.dumps(asdict(load_lifter(path)[1]))
    except AugliftError:
        found = ""
    if found != json.dumps(asdict(spec)):
        raise UsageError(
            "there is another lifter already",
            where=path,
            hint="choose another --name or -o, or --overwrite",
        )
    return True
