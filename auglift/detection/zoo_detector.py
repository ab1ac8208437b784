"""Three models by name → an opened `Detector`, and the record of what was opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglift.detection.depth import DepthEstimator
from auglift.detection.detector import DescriptorOptions, Detector
from auglift.detection.people import PersonDetector
from auglift.detection.poses2d import PoseEstimator2d
from auglift.storage.cards import Card, load_cards
from auglift.storage.onnx_session import OnnxModel, open_model
from auglift.storage.table_metadata import ModelRecord
from auglift.storage.zoo import model_path


@dataclass(frozen=True)
class OpenedDetector:
    """A detector, the models in it by role, and the providers that they run on."""

    detector: Detector
    models: dict[str, ModelRecord]
    providers: tuple[str, ...]


def open_detector(
    person: str,
    pose: str,
    depth: str | None,
    *,
    device: str = "auto",
    threads: int | None = None,
    batch: int = 8,
    model_dir: Path | None = None,
    descriptor: DescriptorOptions | None = None,
) -> OpenedDetector:
    """Open the named models (cards or ONNX files) with the options that their cards state."""
    opened = {
        role: _open(name, device, threads, model_dir)
        for role, name in (("people", person), ("poses2d", pose), ("depth", depth))
        if name is not None
    }
    people = PersonDetector(opened["people"].model, batch=batch, **opened["people"].options)
    poses = PoseEstimator2d(opened["poses2d"].model, batch=batch, **opened["poses2d"].options)
    depths = None
    if "depth" in opened:
        depths = DepthEstimator(opened["depth"].model, batch=batch, **opened["depth"].options)
    providers = [name for one in opened.values() for name in one.model.providers]
    return OpenedDetector(
        Detector(people, poses, depths, descriptor=descriptor),
        {role: ModelRecord(one.id, one.model.sha256) for role, one in opened.items()},
        tuple(dict.fromkeys(providers)),
    )


@dataclass(frozen=True)
class _Opened:
    id: str
    model: OnnxModel
    options: dict[str, Any]


def _open(name: str, device: str, threads: int | None, model_dir: Path | None) -> _Opened:
    model = open_model(model_path(name, model_dir), device, threads)
    card = load_cards().get(name)
    return _Opened(card.id if card else Path(name).name, model, _options(card))


def _options(card: Card | None) -> dict[str, Any]:
    """Constructor arguments that a card states; a bare ONNX file has the defaults."""
    if card is None:
        return {}
    options = dict(card.options)
    if card.kind == "person" and card.contract.input_wh:
        options["input_wh"] = card.contract.input_wh
    return options
