"""Three models by name → what they are, and an opened `Detector`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auglift.detection.depth import DepthEstimator
from auglift.detection.detector import DescriptorOptions, Detector
from auglift.detection.people import PersonDetector
from auglift.detection.poses2d import PoseEstimator2d
from auglift.storage.cards import UNKNOWN, Card, load_cards
from auglift.storage.fetch import file_sha256
from auglift.storage.onnx_session import OnnxModel, open_model
from auglift.storage.table_metadata import ModelRecord
from auglift.storage.zoo import model_path


@dataclass(frozen=True)
class ModelChoice:
    """A model, before it is opened."""

    record: ModelRecord
    options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the class that runs it, as its card states them."""


@dataclass(frozen=True)
class OpenedDetector:
    """A detector, the models in it by role, and the providers that they run on."""

    detector: Detector
    choices: Mapping[str, ModelChoice]
    providers: tuple[str, ...]

    @property
    def models(self) -> dict[str, ModelRecord]:
        """Which weights serve for what."""
        return {role: choice.record for role, choice in self.choices.items()}


def choose_models(
    person: str,
    pose: str,
    depth: str | None,
    *,
    model_dir: Path | None = None,
    may_fetch: bool = True,
) -> dict[str, ModelChoice]:
    """What the names (cards or ONNX files) stand for, by role; nothing is opened.

    A card without a hash takes its file's, which is fetched if need be; unless it may not be: then
    the hash is `UNKNOWN`.
    """
    choices = {}
    for role, name in _roles(person, pose, depth).items():
        card = _card(name)
        sha256 = card.sha256 if card else UNKNOWN
        if sha256 == UNKNOWN and (may_fetch or card is None):
            sha256 = file_sha256(model_path(name, model_dir))
        choices[role] = _choice(name, card, sha256)
    return choices


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
    models: dict[str, OnnxModel] = {}
    choices: dict[str, ModelChoice] = {}
    for role, name in _roles(person, pose, depth).items():
        models[role] = open_model(model_path(name, model_dir), device, threads)
        choices[role] = _choice(name, _card(name), models[role].sha256)
    people = PersonDetector(models["people"], batch=batch, **choices["people"].options)
    poses = PoseEstimator2d(models["poses2d"], batch=batch, **choices["poses2d"].options)
    depths = None
    if "depth" in models:
        depths = DepthEstimator(models["depth"], batch=batch, **choices["depth"].options)
    providers = [name for model in models.values() for name in model.providers]
    return OpenedDetector(
        Detector(people, poses, depths, descriptor=descriptor),
        choices,
        tuple(dict.fromkeys(providers)),
    )


def _roles(person: str, pose: str, depth: str | None) -> dict[str, str]:
    names = {"people": person, "poses2d": pose, "depth": depth}
    return {role: name for role, name in names.items() if name is not None}


def _card(name: str) -> Card | None:
    """The card of this name; a file of this name has none, and precedes it (`model_path`)."""
    return None if Path(name).is_file() else load_cards().get(name)


def _choice(name: str, card: Card | None, sha256: str) -> ModelChoice:
    return ModelChoice(ModelRecord(card.id if card else Path(name).name, sha256), _options(card))


def _options(card: Card | None) -> dict[str, Any]:
    """Constructor arguments that a card states; a bare ONNX file has the defaults."""
    if card is None:
        return {}
    options = dict(card.options)
    if card.kind == "person" and card.contract.input_wh:
        options["input_wh"] = list(card.contract.input_wh)
    return options
