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
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from auglift.config import models_zoo_folder
from auglift.errors import ConfigError, unknown_name

KINDS = ("person", "pose", "depth", "lifter")
UNKNOWN = "unknown"

Shape = tuple[int | None, ...]


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
        card = Card(**_read_keys(tree, Card, _CARD_KEYS))
    except ValueError as error:
        raise ConfigError(f"the card's {error}", where=path) from error
    if card.id != path.stem:
        raise ConfigError(f"the card's id is '{card.id}'", where=path, hint="name the file by it")
    return card


def _read_keys(
    tree: object, kind: type, readers: Mapping[str, Callable[[Any], Any]]
) -> dict[str, Any]:
    """The values of `tree` for the dataclass `kind`, each read by its reader."""
    if not isinstance(tree, dict):
        raise ValueError(f"{kind.__name__.lower()} has no `key: value` lines")
    for key in tree:
        if key not in readers:
            unknown = unknown_name("key", str(key), readers)
            raise ValueError(f"{unknown.what}: {unknown.hint}")
    for f in fields(kind):
        required = f.default is MISSING and f.default_factory is MISSING
        if f.name not in tree and required:
            raise ValueError(f"'{f.name}' is missing")
    values = {}
    for key, value in tree.items():
        try:
            values[key] = readers[key](value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
    return values


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is not a text")
    return value.strip()


def _one_of(*known: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in known:
            raise ValueError(f"{value!r} is none of {', '.join(known)}")
        return str(value)

    return read


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _sha256(value: object) -> str:
    if value != UNKNOWN and not re.fullmatch("[0-9a-f]{64}", str(value)):
        raise ValueError(f"{value!r} is neither 64 hex digits nor '{UNKNOWN}'")
    return str(value)


def _relative_file(value: object) -> str:
    path = PurePosixPath(_text(value))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{value!r} leads out of the model folder")
    return str(path)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list")
    return tuple(_text(item) for item in value)


def _shapes(value: object) -> dict[str, Shape]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} does not map names to shapes")
    return {_text(name): _shape(sizes) for name, sizes in value.items()}


def _shape(value: object) -> Shape:
    if not isinstance(value, list) or not all(n is None or type(n) is int for n in value):
        raise ValueError(f"{value!r} is not a list of whole numbers and nulls")
    return tuple(value)


def _options(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{value!r} does not map names to values")
    return value


def _size(value: object) -> tuple[int, int]:
    match _shape(value):
        case (int(width), int(height)):
            return width, height
    raise ValueError(f"{value!r} is not [width, height]")


_CONTRACT_KEYS: dict[str, Callable[[Any], Any]] = {
    "inputs": _shapes,
    "outputs": _shapes,
    "input_wh": _size,
    "layout": _text,
}
_CARD_KEYS: dict[str, Callable[[Any], Any]] = {
    "id": _text,
    "kind": _one_of(*KINDS),
    "file": _relative_file,
    "sha256": _sha256,
    "licence": _text,
    "non_commercial": _flag,
    "contract": lambda tree: Contract(**_read_keys(tree, Contract, _CONTRACT_KEYS)),
    "description": _text,
    "urls": _texts,
    "member": _text,
    "options": _options,
    "recipe": _text,
    "score": _text,
    "notes": _text,
}
