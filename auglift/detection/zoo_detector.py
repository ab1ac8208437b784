"""Three models by name → what they are, and an opened `Detector`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auglift.detection.depth import DepthEstimator
from auglift.detection.depth_kinds import METRIC
from auglift.detection.detector import DescriptorOptions, Detector, FindsJoints, FindsPeople
from auglift.detection.features import require_pooling
from auglift.detection.people import PersonDetector
from auglift.detection.poses2d import PoseEstimator2d
from auglift.errors import UsageError, unknown_name
from auglift.storage.cards import UNKNOWN, Card, load_cards
from auglift.storage.fetch import file_sha256
from auglift.storage.onnx_providers import create_session
from auglift.storage.onnx_session import OnnxModel, open_model
from auglift.storage.table_metadata import ModelRecord
from auglift.storage.zoo import model_path

logger = logging.getLogger(__name__)

Options = Mapping[str, Mapping[str, Any]]
"""Arguments by role: people, poses2d, depth."""

BACKENDS = ("auglift", "rtmlib")

# Options that are no arguments of the class, but change the graph before it is opened.
FEATURE_TENSOR = "feature_tensor"  # of `feature_taps.tapped_graph`
CUT_NMS = "cut_nms"  # whether `raw_heads.cut_before_nms` makes a person detector take batches
PRECISION = "precision"  # fp32, as the file has it, or fp16, as `half_precision` makes of it
GRAPH_OPTIONS = (FEATURE_TENSOR, CUT_NMS, PRECISION)
PRECISIONS = ("fp32", "fp16")


@dataclass(frozen=True)
class ModelChoice:
    """A model, before it is opened."""

    record: ModelRecord
    options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the class that runs it: its card's, and over them what was asked for."""


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
    options: Options | None = None,
) -> dict[str, ModelChoice]:
    """What the names (cards or ONNX files) stand for, by role; nothing is opened.

    A card without a hash takes its file's, which is fetched if need be; unless it may not be: then
    the hash is `UNKNOWN`. `options` go before those of the cards.
    """
    choices = {}
    for role, name in _roles(person, pose, depth).items():
        card = _card(name)
        sha256 = card.sha256 if card else UNKNOWN
        if sha256 == UNKNOWN and (may_fetch or card is None):
            sha256 = file_sha256(model_path(name, model_dir))
        choices[role] = _choice(name, card, sha256, (options or {}).get(role, {}))
    return choices


def depth_kind(choices: Mapping[str, ModelChoice]) -> str | None:
    """What the chosen depth network answers, one of `depth_kinds.KINDS`; None without one."""
    depth = choices.get("depth")
    return str(depth.options.get("kind", METRIC)) if depth else None


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
    options: Options | None = None,
    features: str | None = None,
    backend: str = "auglift",
) -> OpenedDetector:
    """Open the named models (cards or ONNX files) with the options that their cards state.

    `options` go before those of the cards. `features` names the pooling of V2 features
    (`features.POOLINGS`), None for none. `backend` says who finds people and joints: `auglift`, or
    `rtmlib`, one picture and one person at a time; depth is auglift's in either case.
    """
    if backend not in BACKENDS:
        raise unknown_name("backend", backend, BACKENDS)
    if features is not None:
        require_pooling(features)
        if backend == "rtmlib":
            raise UsageError("rtmlib gives out no features", hint="choose the backend auglift")
    paths = {role: model_path(n, model_dir) for role, n in _roles(person, pose, depth).items()}
    choices = choose_models(person, pose, depth, model_dir=model_dir, options=options)
    opening = _Opening(paths, choices, device, threads, batch, features is not None)
    people, poses = _open_rtmlib(opening) if backend == "rtmlib" else _open_own(opening)
    depths = DepthEstimator(**opening.arguments("depth")) if "depth" in paths else None
    detector = Detector(people, poses, depths, descriptor=descriptor, features=features)
    return OpenedDetector(detector, choices, tuple(opening.providers))


@dataclass
class _Opening:
    """How models are opened, and which providers bound so far."""

    paths: Mapping[str, Path]
    choices: Mapping[str, ModelChoice]
    device: str
    threads: int | None
    batch: int
    tap: bool
    providers: dict[str, None] = field(default_factory=dict)

    def arguments(self, role: str) -> dict[str, Any]:
        """Of the class that runs the role's model, the opened model among them."""
        options = dict(self.choices[role].options)
        tensor, cut_nms = options.pop(FEATURE_TENSOR, None), options.pop(CUT_NMS, False)
        in_half = is_half(options.pop(PRECISION, None))
        graph: Path | bytes = self.paths[role]
        if self.tap and role != "people":
            from auglift.detection.feature_taps import tapped_graph  # loads onnx

            graph, options["tap"] = tapped_graph(self.paths[role], role, tensor)
        elif cut_nms:
            from auglift.detection.raw_heads import cut_before_nms  # loads onnx

            graph = cut_before_nms(self.paths[role])
        model = self._open(graph, role, in_half)
        self.providers |= dict.fromkeys(model.providers)
        return {"model": model, "batch": self.batch, **options}

    def _open(self, graph: Path | bytes, role: str, in_half: bool) -> OnnxModel:
        """The graph of the role's file, changed or not."""
        if in_half:
            from auglift.detection.half_precision import in_half_precision  # loads onnx

            graph = in_half_precision(graph, self.paths[role])
        if isinstance(graph, Path):
            return open_model(graph, self.device, self.threads)
        session = create_session(graph, self.device, self.threads, in_half=in_half)
        model = OnnxModel(session, self.paths[role])
        if in_half and not model.has_own_memory:
            logger.warning("%s: half precision gains nothing on a CPU", model.path.name)
        return model


def is_half(precision: str | None) -> bool:
    """Whether a card's precision, or that which was asked for, is half of a file's."""
    if precision not in (None, *PRECISIONS):
        raise unknown_name("precision", str(precision), PRECISIONS)
    return precision == "fp16"


def _open_own(opening: _Opening) -> tuple[FindsPeople, FindsJoints]:
    people = PersonDetector(**opening.arguments("people"))
    return people, PoseEstimator2d(**opening.arguments("poses2d"))


def _open_rtmlib(opening: _Opening) -> tuple[FindsPeople, FindsJoints]:
    from auglift.detection.rtmlib_backend import RtmlibPeople, RtmlibPoses

    def arguments(role: str) -> dict[str, Any]:
        options = opening.choices[role].options
        if is_half(options.get(PRECISION)):
            raise UsageError("rtmlib opens files as they are", hint="leave out precision=fp16")
        own = {name: value for name, value in options.items() if name not in GRAPH_OPTIONS}
        where = {"device": opening.device, "threads": opening.threads}
        return {"path": opening.paths[role], **where, **own}

    people, poses = RtmlibPeople(**arguments("people")), RtmlibPoses(**arguments("poses2d"))
    opening.providers |= dict.fromkeys((*people.providers, *poses.providers))
    return people, poses


def _roles(person: str, pose: str, depth: str | None) -> dict[str, str]:
    names = {"people": person, "poses2d": pose, "depth": depth}
    return {role: name for role, name in names.items() if name is not None}


def _card(name: str) -> Card | None:
    """The card of this name; a file of this name has none, and precedes it (`model_path`)."""
    return None if Path(name).is_file() else load_cards().get(name)


def _choice(name: str, card: Card | None, sha256: str, asked_for: Mapping[str, Any]) -> ModelChoice:
    record = ModelRecord(card.id if card else Path(name).name, sha256)
    options = {**_options(card), **asked_for}
    if not is_half(options.get(PRECISION)):
        options.pop(PRECISION, None)  # the file's own, whether it is said or not
    return ModelChoice(record, options)


def _options(card: Card | None) -> dict[str, Any]:
    """Constructor arguments that a card states; a bare ONNX file has the defaults."""
    if card is None:
        return {}
    options = dict(card.options)
    if card.kind == "person" and card.contract.input_wh:
        options["input_wh"] = list(card.contract.input_wh)
    return options
