"""`auglift models`: what the zoo holds, what of it is on this machine, and getting the rest.

list      every card, and where its file is
fetch     bring files here, before a job without internet needs them
verify    compare the files that are here with the hashes of their cards
path      where one model's file is, for scripts
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from auglift.config import StageConfig, setting
from auglift.errors import ModelError, UsageError
from auglift.executors import Progress, silent

Action = Literal["list", "fetch", "verify", "path"]


@dataclass(frozen=True, kw_only=True)
class ModelsConfig(StageConfig):
    """What to do, with which models."""

    action: Action = setting("list")
    """list, fetch, verify or path."""

    models: tuple[str, ...] = setting(())
    """Ids of cards; default: all (of `verify`: those that are here)."""

    kind: Literal["person", "pose", "depth", "lifter"] | None = setting(None)
    """Only models of this kind."""

    model_dir: Path | None = setting(None)
    """Folder where model files lie, before the cache is asked."""


@dataclass(frozen=True)
class ModelState:
    """One card, and its file on this machine."""

    id: str
    kind: str
    licence: str
    non_commercial: bool
    description: str
    score: str
    status: Literal["embedded", "here", "to fetch", "no address", "fetched", "verified", "wrong"]
    path: Path | None
    size_mb: float | None
    problem: str = ""


@dataclass(frozen=True)
class ModelsResult:
    """All models that were asked for."""

    action: str
    cache: Path
    models: tuple[ModelState, ...]

    @property
    def wrong(self) -> tuple[ModelState, ...]:
        """Files that are not what their cards say, or did not come."""
        return tuple(model for model in self.models if model.status == "wrong")

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "action": self.action,
            "cache": str(self.cache),
            "models": [vars(model) for model in self.models],
        }


def models(config: ModelsConfig, progress: Progress = silent) -> ModelsResult:
    """Do what `config.action` says; one model's failure does not keep the others."""
    from auglift.storage.zoo import cache_folder, get_card, load_cards

    cards = [get_card(name) for name in config.models] or list(load_cards().values())
    cards = [card for card in cards if config.kind in (None, card.kind)]
    if config.action == "path" and len(config.models) != 1:
        raise UsageError("path is asked of one model", hint="auglift models path rtmpose-m")
    states = []
    with progress(f"models {config.action}", len(cards), "models") as advance:
        for card in cards:
            states.append(_state(card, config))
            advance(note=card.id)
    if config.action == "verify" and not config.models:
        states = [state for state in states if state.path is not None]
    return ModelsResult(config.action, cache_folder(), tuple(states))


def _state(card: Any, config: ModelsConfig) -> ModelState:
    from auglift.config import models_zoo_folder
    from auglift.storage.zoo import find_file, model_path

    before = find_file(card, config.model_dir)
    path, status, problem = before, "here", ""
    if before is None:
        status = "to fetch" if card.urls else "no address"
    elif before.is_relative_to(models_zoo_folder()):
        status = "embedded"
    wanted = config.action in ("fetch", "path") or (config.action == "verify" and before)
    if wanted and not config.dry_run:
        try:
            path = model_path(card, config.model_dir)
            status = {"fetch": "here" if before else "fetched", "verify": "verified"}.get(
                config.action, status
            )
        except ModelError as error:
            if config.action == "path":
                raise
            status, problem = "wrong", error.what
    size_mb = path.stat().st_size / 1e6 if path is not None and path.is_file() else None
    return ModelState(
        card.id,
        card.kind,
        card.licence,
        card.non_commercial,
        card.description,
        card.score,
        status,  # type: ignore[arg-type]
        path,
        size_mb,
        problem,
    )
