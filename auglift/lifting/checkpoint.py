"""Lifters on disk: safetensors with the `LifterSpec` inside, and the state to resume training.

Nothing here unpickles freely: weights are safetensors, resume states are read weights-only.
"""

from __future__ import annotations

import io
import json
import logging
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from auglift.errors import (
    AugliftError,
    BrokenFileError,
    MissingDataError,
    ModelError,
    SchemaError,
)
from auglift.lifting.models import build_model
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.spec import LifterSpec, spec_of_plain
from auglift.storage.addresses import place
from auglift.storage.atomic import write_bytes
from auglift.storage.remote_path import on_disk
from auglift.storage.workspace import Workspace

FORMAT = "auglift-lifter"
VERSION = 2
# Version 1 knew neither targets nor ways to place keypoints; their defaults are what it did.
READABLE_VERSIONS = ("1", "2")

logger = logging.getLogger(__name__)


def find_checkpoint(workspace: Workspace, wanted: str | None) -> Path:
    """A file as it is; else the best weights of the run that is named, or of the newest."""
    if wanted is not None and wanted.endswith(".safetensors"):
        return place(wanted)
    choice = workspace.find_run(wanted)
    logger.info("run %s: %s", choice.run.name, choice.why)
    assert choice.run.model is not None  # find_run returns runs with weights only
    return choice.run.model


def save_lifter(path: Path, model: nn.Module, spec: LifterSpec, *, half: bool = False) -> None:
    """Write weights and spec to one file, whole or not at all; the same always gives the same.

    With `half`, matrices are float16 on disk, for a file of half the size; they are read back as
    float32, which is what is reckoned with.
    """
    weights = {
        name: _on_disk(value.detach().cpu(), half) for name, value in model.state_dict().items()
    }
    metadata = {"format": FORMAT, "version": str(VERSION), "spec": json.dumps(asdict(spec))}
    # `save_file` would make a file that nobody else on a shared disk can read.
    write_bytes(path, _in_order(save(weights, metadata=metadata)))


def load_lifter(path: Path, device: str | torch.device = "cpu") -> tuple[LifterModel, LifterSpec]:
    """The model, in evaluation mode, and what it was trained on."""
    metadata, weights = _read(path, device)
    spec = _parse_spec(metadata, path)
    model = build_model(spec.arch, **spec.model).to(device)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise BrokenFileError(f"the weights do not fit their spec: {error}", where=path) from error
    return model.eval(), spec


def save_resume_state(path: Path, state: dict[str, Any]) -> None:
    """Everything that training needs to go on as if it had not stopped."""
    buffer = (
        io.BytesIO()
    )  # torch.save refuses file names with a leading dot, as temporary ones have
    torch.save(state, buffer)
    write_bytes(path, buffer.getvalue())


def load_resume_state(path: Path) -> dict[str, Any]:
    """Read a state written by `save_resume_state`; tensors and plain values only."""
    try:
        with path.open("rb") as file:
            state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, OSError) as error:
        raise BrokenFileError(
            f"not a readable training state: {error}",
            where=path,
            hint="delete it to start from the beginning, or name another with --resume",
        ) from error
    return state


def _on_disk(value: Tensor, half: bool) -> Tensor:
    """Biases, scales and statistics stay as they are: they are few, and what is small adds up."""
    if not half or value.ndim < 2 or not value.is_floating_point():
        return value.contiguous()
    packed = value.to(torch.float16).contiguous()
    if not bool(packed.isfinite().all()):
        raise ModelError("weights beyond 65,504 have no float16", hint="keep them as float32")
    return packed


def _in_order(content: bytes) -> bytes:
    """The same safetensors file with its metadata sorted, which safetensors leaves to chance."""
    n_header = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + n_header])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the weights begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text + content[8 + n_header :]


def _read(path: Path, device: str | torch.device) -> tuple[dict[str, str], dict[str, Any]]:
    if not path.is_file():
        raise MissingDataError("no such checkpoint", where=path, hint="auglift train writes one")
    try:
        with (
            on_disk(path) as local,
            safe_open(local, framework="pt", device=str(device)) as file,
        ):
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise BrokenFileError(
            f"not a readable safetensors file: {error}", where=path, hint="copy or train it again"
        ) from error
    return metadata, weights


def _parse_spec(metadata: dict[str, str], path: Path) -> LifterSpec:
    if metadata.get("format") != FORMAT:
        raise SchemaError(
            "safetensors, but not an auglift lifter",
            where=path,
            hint="auglift convert imports checkpoints of other tools",
        )
    version = metadata.get("version", "none")
    if version not in READABLE_VERSIONS:
        raise SchemaError(
            f"a lifter file of version {version}; this auglift reads "
            f"{' and '.join(READABLE_VERSIONS)}",
            where=path,
            hint="use the auglift version that wrote it, or train again",
        )
    try:
        spec = spec_of_plain(json.loads(metadata["spec"]))
    except (KeyError, TypeError, ValueError, AugliftError) as error:
        raise SchemaError(f"its spec cannot be read: {error}", where=path) from error
    if version == "1" and spec.features.variant == "stats":
        raise SchemaError(
            "a lifter file of version 1, whose variant `stats` had fewer channels",
            where=path,
            hint="train it again",
        )
    return spec
