"""From a model's card to its file on this machine.

In:  a card, its id, or the path of a file.
Out: the path of a file that has the card's hash.

A file is looked for in this order: as a path; in the model folder (`--model-dir`, else
AUGLIFT_MODEL_DIR); in `models_zoo/`, where embedded models lie; in the cache (AUGLIFT_CACHE, else
the user's cache folder); and at the card's addresses, unless AUGLIFT_OFFLINE is set. When several
jobs on one home folder want the same model at once, one fetches and the others wait.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auglift.config import models_zoo_folder
from auglift.errors import ModelError
from auglift.storage.atomic import write_text
from auglift.storage.cards import UNKNOWN, Card, get_card, load_cards
from auglift.storage.fetch import fetch, file_sha256

__all__ = [
    "Card",
    "cache_folder",
    "find_file",
    "get_card",
    "load_cards",
    "model_path",
    "results_folder",
]

logger = logging.getLogger(__name__)


def model_path(
    model: Card | str | Path, model_dir: Path | None = None, offline: bool | None = None
) -> Path:
    """The file of a model: a path is itself; a card, or its id, is found or else fetched."""
    if not isinstance(model, Card):
        if Path(model).is_file():
            return Path(model)
        if isinstance(model, Path) or Path(model).name != model or model.endswith(".onnx"):
            known = ", ".join(load_cards())
            raise ModelError(
                "there is no such model file",
                where=model,
                hint=f"give the path of a file or the name of a model: {known}",
            )
        model = get_card(model)
    for folder in _model_folders(model_dir):
        path = folder / model.file
        if path.is_file():
            _verify(path, model.sha256, model.id)
            return path
    return _cached(model, _offline_is_set() if offline is None else offline)


def find_file(card: Card, model_dir: Path | None = None) -> Path | None:
    """Where the card's file lies on this machine, unverified; None if it has to be fetched."""
    folders = [*_model_folders(model_dir), cache_folder() / "models"]
    paths = (folder / card.file for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def cache_folder() -> Path:
    """Where models, and what is made of them, are kept: AUGLIFT_CACHE, else the user's cache."""
    import platformdirs

    named = os.environ.get("AUGLIFT_CACHE")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("auglift")


def results_folder(weights: Path) -> Path:
    """Where what is made of weights goes: beside them; of the zoo's, which lie in the package or
    in the cache, where one is."""
    is_of_zoo = any(weights.is_relative_to(f) for f in (models_zoo_folder(), cache_folder()))
    return Path() if is_of_zoo else weights.parent


def _model_folders(model_dir: Path | None) -> list[Path]:
    named = model_dir or os.environ.get("AUGLIFT_MODEL_DIR")
    return [*([Path(named).expanduser()] if named else []), models_zoo_folder()]


def _offline_is_set() -> bool:
    return os.environ.get("AUGLIFT_OFFLINE", "").lower() not in ("", "0", "false", "no")


def _cached(card: Card, offline: bool) -> Path:
    """The card's file in the cache, fetched if it is not there."""
    path = cache_folder() / "models" / card.file
    if not path.is_file():
        _require_address(card, path, offline)
        with _lock(path):
            if not path.is_file():  # another process may have fetched it meanwhile
                fetch(card, path)
    _verify(path, card.sha256 if card.sha256 != UNKNOWN else _first_hash(path), card.id)
    return path


def _require_address(card: Card, path: Path, offline: bool) -> None:
    by_hand = f"put {card.file} into {path.parent} or into the folder of --model-dir"
    if not card.urls:
        raise ModelError(f"'{card.id}' has no public address", where=path, hint=by_hand)
    if offline:
        raise ModelError(
            f"'{card.id}' is not on this machine, and AUGLIFT_OFFLINE forbids to fetch it",
            where=path,
            hint=f"{by_hand}; it comes from {card.urls[0]}",
        )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Keep other processes that would fetch to `path` waiting."""
    import filelock

    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"))
    with _telling_of_the_cache(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            logger.info("waiting for another process that fetches %s", path.name)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _telling_of_the_cache(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"the cache cannot be written to: {error.strerror or error}",
            where=folder,
            hint="set AUGLIFT_CACHE to a folder that you may write to",
        ) from error


def _first_hash(path: Path) -> str:
    """The hash that the file had when it was first used, for a card that knows none."""
    record = path.with_name(f"{path.name}.sha256")
    if not record.is_file():
        found = file_sha256(path)
        logger.warning("%s is trusted as it is; its SHA-256 is %s", path.name, found)
        with _telling_of_the_cache(path.parent):
            write_text(record, f"{found}\n")
    return record.read_text(encoding="utf-8").strip()


def _verify(path: Path, expected: str, card_id: str) -> None:
    found = file_sha256(path) if expected != UNKNOWN else UNKNOWN
    if found != expected:
        raise ModelError(
            f"this file is not the model '{card_id}': its SHA-256 is {found}, not {expected}",
            where=path,
            hint="delete it to fetch it anew, or give --model-dir or the path of your own file",
        )
