"""How the values of a card are read from YAML: each reader gives the value, or says what is wrong.

In:  what YAML gives for one key. Out: the value as the code wants it; else a `ValueError`, whose
     words go on after the key's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import PurePosixPath
from typing import Any, TypeVar

from auglift.errors import unknown_name

UNKNOWN = "unknown"

Shape = tuple[int | None, ...]
Readers = Mapping[str, Callable[[Any], Any]]
T = TypeVar("T")


def read_keys(tree: object, kind: type, readers: Readers) -> dict[str, Any]:
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


def section(kind: Callable[..., T], readers: Readers) -> Callable[[object], T]:
    """Reads a nested dataclass."""
    return lambda tree: kind(**read_keys(tree, kind, readers))  # type: ignore[arg-type]


def listed(read: Callable[[Any], T]) -> Callable[[object], tuple[T, ...]]:
    """Reads a list, each item by the same reader."""

    def read_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is not a list")
        return tuple(read(item) for item in value)

    return read_all


def text(value: object) -> str:
    """A text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is not a text")
    return value.strip()


def one_of(*known: str) -> Callable[[object], str]:
    """Reads one of these words."""

    def read(value: object) -> str:
        if value not in known:
            raise ValueError(f"{value!r} is none of {', '.join(known)}")
        return str(value)

    return read


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def count(value: object) -> int:
    """A whole number above nought."""
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r} is not a whole number of at least 1")
    return value


def positive(value: object) -> float:
    """A number above nought."""
    if type(value) not in (int, float) or not 0 < float(str(value)) < float("inf"):
        raise ValueError(f"{value!r} is not a positive number")
    return float(str(value))


def sha256(value: object) -> str:
    """A hash, or that none is known."""
    if value != UNKNOWN and not re.fullmatch("[0-9a-f]{64}", str(value)):
        raise ValueError(f"{value!r} is neither 64 hex digits nor '{UNKNOWN}'")
    return str(value)


def relative_file(value: object) -> str:
    """A file below the model folder."""
    path = PurePosixPath(text(value))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{value!r} leads out of the model folder")
    return str(path)


def shape(value: object) -> Shape:
    """Sizes of an array; null for those that may vary."""
    if not isinstance(value, list) or not all(n is None or type(n) is int for n in value):
        raise ValueError(f"{value!r} is not a list of whole numbers and nulls")
    return tuple(value)


def shapes(value: object) -> dict[str, Shape]:
    """Shapes by name."""
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} does not map names to shapes")
    return {text(name): shape(sizes) for name, sizes in value.items()}


def options(value: object) -> dict[str, Any]:
    """Anything by name."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{value!r} does not map names to values")
    return value


def size(value: object) -> tuple[int, int]:
    """Width and height."""
    match shape(value):
        case (int(width), int(height)):
            return width, height
    raise ValueError(f"{value!r} is not [width, height]")
