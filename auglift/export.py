"""`auglift export`: a trained lifter as an ONNX file, for programs without torch.

In: a run or a checkpoint. Out: an ONNX file with one input, `features` (batch, frames, joints,
channels), and one output, `poses` (batch, poses, joints, 3). Everything else that its user must
know (channels, joints, frame rate, normalisation, units) stands in the file's `metadata_props`,
under names that begin with `auglift.`. Files are kept only if ONNX Runtime gives torch's answers.

The batch is free. So are the frames where the architecture allows it: a TCN slides over any length,
a sequence lifter takes up to as many as it learned with. Other lifters take one window.
"""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auglift.config import StageConfig, setting
from auglift.errors import MissingExtraError, ModelError, UsageError
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from auglift.lifting.models.interface import LifterModel
    from auglift.lifting.spec import LifterSpec, TargetConfig

INPUT, OUTPUT = "features", "poses"
FORMAT = "auglift-lifter-onnx"
VERSION = "1"

# Both reckon in fp32, in another order: of poses in metres, that is a tenth of a micrometre or so.
TOLERANCE = 1e-4

UNITS = {
    "metres": "metres from the root; x right, y down, z forward",
    "zscore": "metres from the root, less target.mean, by target.std; x right, y down, z forward",
    "image": "halves of the longer picture side, from the root; x right, y down, z forward",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ExportConfig(StageConfig):
    """Which lifter, and where to."""

    checkpoint: str | None = setting(None)
    """A run's name or folder, a .safetensors file, or a lifter of the zoo; default: the newest
    run."""

    output: Path | None = setting(None, affects_result=False)
    """The ONNX file; default: beside the weights, or here if they are the zoo's."""

    def __post_init__(self) -> None:
        if self.output is not None and self.output.suffix != ".onnx":
            raise UsageError(f"'{self.output}' does not end in .onnx", hint="-o model.onnx")


@dataclass(frozen=True)
class ExportResult:
    """What was written, and how near it is to the original."""

    checkpoint: Path
    path: Path
    lifter: str
    input_shape: tuple[str, ...]
    """Sizes of `features`; those that are free by name."""
    difference: float | None
    """The largest from torch's answers, in the output's unit; None if nothing was done now."""


def export(config: ExportConfig) -> ExportResult:
    """Write the ONNX file, unless it is there already."""
    from auglift.lifting.checkpoint import load_lifter
    from auglift.lifting.choice import find_lifter
    from auglift.lifting.on_tables import check_lifts
    from auglift.storage.fetch import file_sha256
    from auglift.storage.zoo import results_folder

    checkpoint = find_lifter(Workspace(config.root), config.checkpoint)
    model, spec = load_lifter(checkpoint)
    check_lifts(config.checkpoint or checkpoint.parent.name, spec)
    path = config.output or results_folder(checkpoint) / f"{checkpoint.stem}.onnx"
    metadata = describe(model, spec, file_sha256(checkpoint))
    done = path.exists() and not config.overwrite and _is_done(path, metadata)
    difference = None if done or config.dry_run else export_lifter(model, spec, path, metadata)
    return ExportResult(
        checkpoint=checkpoint,
        path=path,
        lifter=f"{spec.arch}, {spec.features.variant}",
        input_shape=tuple(json.loads(metadata["auglift.input_shape"])),
        difference=difference,
    )


def export_lifter(
    model: LifterModel, spec: LifterSpec, path: Path, metadata: dict[str, str]
) -> float:
    """Write a model with its description; the largest difference from torch on random input."""
    import onnx

    from auglift.storage.atomic import replacing

    onnx_model = _converted(model, spec)
    onnx.helper.set_model_props(onnx_model, metadata)
    with replacing(path) as temporary:
        onnx.save(onnx_model, temporary)
        return _check(temporary, model, spec)


def describe(model: LifterModel, spec: LifterSpec, weights_sha256: str) -> dict[str, str]:
    """What a user of the file must know, as names and texts."""
    from auglift.geometry.skeleton import get_skeleton

    frames = "frames" if _frame_range(model) else str(model.receptive_field)
    joints = get_skeleton(spec.skeleton).joints
    channels = spec.features.channels
    facts: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "weights_sha256": weights_sha256,
        "input_shape": ["batch", frames, str(len(joints)), str(len(channels))],
        "channels": channels,
        "joints": _output_joints(joints, spec.target, get_skeleton(spec.skeleton).root),
        "receptive_field": model.receptive_field,
        "causal": model.causal,
        "sequence": model.sequence,
        "fps": spec.fps,
        "units": UNITS[spec.target.convention],
        "spec": asdict(spec),
    }
    return {
        f"auglift.{name}": value if isinstance(value, str) else json.dumps(value)
        for name, value in facts.items()
    }


def _output_joints(
    joints: tuple[str, ...], target: TargetConfig, root: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(j for j in joints if target.root == "kept" or j not in root)


def _frame_range(model: LifterModel) -> tuple[int, int | None] | None:
    """Fewest and most frames (None: any number) that an exported model takes; None: one window."""
    from auglift.lifting.models.tcn import TCN
    from auglift.lifting.models.wrapper import Wrapper

    while isinstance(model, Wrapper):
        model = model.base
    if isinstance(model, TCN):
        return model.receptive_field, None
    if model.sequence and model.receptive_field > 1:
        return 1, model.receptive_field
    return None


def _lengths(model: LifterModel) -> list[int]:
    """Numbers of frames to try; the first is the one to trace, which must not be a special case."""
    field, frames = model.receptive_field, _frame_range(model)
    if frames is None:
        return [field]
    least, most = frames
    # A TCN takes another way through windows of exactly one receptive field.
    return [field + 13, field] if most is None else [(field + 1) // 2 + 1, field, least]


def _converted(model: LifterModel, spec: LifterSpec) -> Any:
    """The model as an `onnx.ModelProto`, by torch's exporter."""
    import torch
    from torch.export import Dim

    _require_onnxscript()
    shape: dict[int, Any] = {0: Dim("batch")}
    frames = _frame_range(model)
    if frames is not None:
        shape[1] = Dim("frames", min=frames[0], max=frames[1])
    example = _random_input(model, spec, 2, _lengths(model)[0])
    try:
        with warnings.catch_warnings():
            # About operators of packages that are not installed, and its own deprecations.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                model, (example,), dynamo=True, dynamic_shapes=(shape,), verbose=False,
                input_names=[INPUT], output_names=[OUTPUT],
            )  # fmt: skip
    except torch.onnx.errors.OnnxExporterError as error:
        raise ModelError(
            f"{spec.arch} cannot be exported: {str(error).strip().splitlines()[0]}"
        ) from error
    assert program is not None  # it is None only for the exporter that this replaces
    onnx_model = program.model_proto
    for part in (*onnx_model.graph.node, *onnx_model.graph.value_info):
        part.ClearField("metadata_props")  # where in our source each operator comes from
    return onnx_model


def _require_onnxscript() -> None:
    from importlib import import_module

    try:
        import_module("onnxscript")
    except ImportError as error:
        raise MissingExtraError("exporting to ONNX needs onnxscript", extra="export") from error


def _random_input(model: LifterModel, spec: LifterSpec, n_samples: int, n_frames: int) -> Tensor:
    import torch

    from auglift.geometry.skeleton import get_skeleton

    n_joints = get_skeleton(spec.skeleton).n_joints
    generator = torch.Generator().manual_seed(n_frames)
    shape = (n_samples, n_frames, n_joints, len(spec.features.channels))
    return torch.randn(shape, generator=generator)


def _check(path: Path, model: LifterModel, spec: LifterSpec) -> float:
    """The largest difference from torch over batches and lengths; an error if it is too large."""
    import torch

    from auglift.storage.onnx_session import open_model

    runtime = open_model(path, "cpu")
    largest = 0.0
    for n_frames in _lengths(model):
        for n_samples in (1, 3):
            features = _random_input(model, spec, n_samples, n_frames)
            with torch.inference_mode():
                expected = model(features)
            found = torch.from_numpy(runtime.run({INPUT: features.numpy()})[OUTPUT])
            allowed = TOLERANCE * max(1.0, float(expected.abs().max()))
            difference = float((found - expected).abs().max())
            if not difference <= allowed:
                raise ModelError(
                    f"the exported {spec.arch} differs from torch by {difference:.2g} on "
                    f"{n_samples} × {n_frames} frames; the file is not kept",
                    hint="auglift doctor --json, and a report to us, please",
                )
            largest = max(largest, difference)
    return largest


def _is_done(path: Path, metadata: dict[str, str]) -> bool:
    """Whether the file is an export of these weights; one that is no export of ours is kept."""
    import onnx

    try:
        found = {p.key: p.value for p in onnx.load(path, load_external_data=False).metadata_props}
    except Exception:  # protobuf's error has no stable place
        found = {}
    if found.get("auglift.format") != FORMAT:
        raise UsageError(
            "there is a file already, which is no export of auglift",
            where=path,
            hint="choose another name with -o, or --overwrite",
        )
    return all(found.get(name) == value for name, value in metadata.items())
