"""Cards: what is known of each model, one YAML file per model in `models_zoo/`.

A card says where the file comes from, its hash, its licence, and its contract with the code: the
names and shapes of inputs and outputs. Cards are read strictly: an unknown key is an error.

    id: rtmpose-m                 the file's own name, rtmpose-m.yaml
    kind: pose                    person, pose, depth or lifter
    file: rtmpose-m….onnx         name in caches and model folders; lies in models_zoo/ if embedded
    urls: [https://…]             where it can be fetched, best first; may be left out
    member: end2end.onnx          the model's name inside the archive, if the address is a zip's
    sha256: …                     of the model itself (not of the zip); or unknown
    licence: Apache-2.0
    non_commercial: false
    contract: {input_wh: …, layout: …, inputs: {…}, outputs: {…}}
    description: …                further: recipe, score, notes
    options: {precision: fp16, …}  how it is run: fp16 is half of a file's precision, for GPUs
    lifter: {variant: …, …}       of lifters only: what a choice among them hangs on, and their past
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auglift.config import models_zoo_folder
from auglift.errors import ConfigError, unknown_name
from auglift.storage import card_fields as read
from auglift.storage.card_fields import UNKNOWN, Readers, Shape

__all__ = [
    "KINDS",
    "LIFTER",
    "UNKNOWN",
    "Card",
    "Contract",
    "LifterFacts",
    "TrainingData",
    "get_card",
    "load_cards",
    "read_card",
]

LIFTER = "lifter"
KINDS = ("person", "pose", "depth", LIFTER)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What goes into the model and comes out; None is a size that may vary."""

    inputs: Mapping[str, Shape]
    """Shape by input name."""

    outputs: Mapping[str, Shape]
    """Shape by output name."""

    input_wh: tuple[int, int] | None = None
    """Size of the pictures that it was trained on; None where it takes any."""

    layout: str = ""
    """Axes, colour order and normalisation, in words."""


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """One data set that a lifter has learned from."""

    dataset: str
    rows: int
    licence: str
    credit: str
    """Whom to name, and how."""


@dataclass(frozen=True, kw_only=True)
class LifterFacts:
    """What is known of a lifter beyond other models."""

    arch: str
    variant: str
    """Which of a detection's columns it looks at, a key of `lifting.spec.VARIANTS`."""

    frames: int
    """That it sees at once."""

    fps: float
    """Rate of its frames."""

    parameters: int

    size_mb: float
    """Of its file, in millions of bytes."""

    validation_p1_mm: float
    """P1 on training subjects that were held out; lifters are chosen by it, never by a test."""

    validation_p2_mm: float

    training_data: tuple[TrainingData, ...]

    retrain: str
    """The command that makes it again."""

    limits: str
    """What it must not be trusted with."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """One model of the zoo."""

    id: str
    kind: str
    file: str
    """File name, in caches and model folders, or below models_zoo/ if it is embedded."""

    sha256: str
    """Of the model file; `unknown` trusts the first fetch and remembers it."""

    licence: str
    non_commercial: bool
    contract: Contract
    description: str
    urls: tuple[str, ...] = ()
    """Addresses of the file, or of a zip that holds it, best first."""

    member: str | None = None
    """File name inside the zip."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the class in `auglift.detection` that runs it, such as `kind: relative`."""

    recipe: str = ""
    """How it was trained or made: a recipe's name or a command."""

    score: str = ""
    """What it scored, and where."""

    notes: str = ""
    lifter: LifterFacts | None = None

    def __post_init__(self) -> None:
        if (self.kind == LIFTER) != (self.lifter is not None):
            raise ValueError(f"kind is {self.kind}; the section 'lifter' belongs to kind {LIFTER}")


def load_cards(folder: Path | None = None) -> dict[str, Card]:
    """All cards by id, in alphabetical order; `folder` is models_zoo unless given."""
    folder = models_zoo_folder() if folder is None else folder
    return {path.stem: read_card(path) for path in sorted(folder.glob("*.yaml"))}


def get_card(card_id: str, folder: Path | None = None) -> Card:
    """The card with this id."""
    folder = models_zoo_folder() if folder is None else folder
    paths = {path.stem: path for path in folder.glob("*.yaml")}
    if card_id not in paths:
        raise unknown_name("model", card_id, paths)
    return read_card(paths[card_id])


def read_card(path: Path) -> Card:
    """Read and check one card."""
    import yaml

    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"the card is not readable as YAML: {error}", where=path) from error
    try:
        card = Card(**read.read_keys(tree, Card, _CARD))
    except ValueError as error:
        raise ConfigError(f"the card's {error}", where=path) from error
    if card.id != path.stem:
        raise ConfigError(f"the card's id is '{card.id}'", where=path, hint="name the file by it")
    return card


_CONTRACT: Readers = {
    "inputs": read.shapes,
    "outputs": read.shapes,
    "input_wh": read.size,
    "layout": read.text,
}
_TRAINING_DATA: Readers = {
    "dataset": read.text,
    "rows": read.count,
    "licence": read.text,
    "credit": read.text,
}
_LIFTER: Readers = {
    "arch": read.text,
    "variant": read.text,
    "frames": read.count,
    "fps": read.positive,
    "parameters": read.count,
    "size_mb": read.positive,
    "validation_p1_mm": read.positive,
    "validation_p2_mm": read.positive,
    "training_data": read.listed(read.section(TrainingData, _TRAINING_DATA)),
    "retrain": read.text,
    "limits": read.text,
}
_CARD: Readers = {
    "id": read.text,
    "kind": read.one_of(*KINDS),
    "file": read.relative_file,
    "sha256": read.sha256,
    "licence": read.text,
    "non_commercial": read.flag,
    "contract": read.section(Contract, _CONTRACT),
    "description": read.text,
    "urls": read.listed(read.text),
    "member": read.text,
    "options": read.options,
    "recipe": read.text,
    "score": read.text,
    "notes": read.text,
    "lifter": read.section(LifterFacts, _LIFTER),
}
