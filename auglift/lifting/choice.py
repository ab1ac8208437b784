"""Which lifter: the one that is named, else the newest run that can work with what there is.

In: a workspace, a name (a run, its folder, a checkpoint, a card of the zoo) or none, and what there
will be to lift. Out: an `OpenedLifter`; the log says what was chosen and why.

Runs come before the zoo's lifters: who has trained one in this workspace means to use it. Where
none fits, or there is none, the zoo has one for everything (`zoo_choice.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from auglift.errors import AugliftError, MissingDataError, UsageError
from auglift.lifting.checkpoint import find_checkpoint
from auglift.lifting.lifter import Lifter
from auglift.lifting.spec import LifterSpec
from auglift.lifting.zoo_choice import Given, best_first, describe
from auglift.storage.cards import LIFTER, Card, load_cards
from auglift.storage.workspace import Workspace
from auglift.storage.zoo import find_file, model_path

TASK = "2d3d"
"""The task of training whose lifters turn detections into poses."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class OpenedLifter:
    """A lifter, its checkpoint, and the name by which results mention it."""

    lifter: Lifter
    path: Path
    name: str


@dataclass(frozen=True)
class _Search:
    """Where to look, and what for."""

    workspace: Workspace
    given: Given
    device: str
    model_dir: Path | None


def open_lifter(
    workspace: Workspace,
    wanted: str | None,
    *,
    has_depth: bool,
    has_confidence: bool = True,
    one_frame: bool = False,
    has_features: bool = False,
    device: str = "cpu",
    model_dir: Path | None = None,
) -> OpenedLifter:
    """The lifter that is named, if it can be used; without a name the newest run that can, else
    the zoo's best."""
    given = Given(has_depth, has_confidence, one_frame, has_features)
    search = _Search(workspace, given, device, model_dir)
    if wanted is None:
        found = next(_fitting(search), None)
        if found is None:
            raise _none_fits(search)
        opened, why = found
        logger.info("lifter %s: %s", opened.name, why)
        return opened
    path = find_lifter(workspace, wanted, model_dir)
    opened = _open(path, device, _card(workspace, wanted))
    why_not = unusable(opened.lifter.spec, has_depth, has_features)
    if why_not:
        raise UsageError(f"{opened.name} {why_not}", where=opened.path, hint=_other(search))
    return opened


def find_lifter(workspace: Workspace, wanted: str | None, model_dir: Path | None = None) -> Path:
    """The checkpoint of a run's name or folder, a file, or a lifter of the zoo; without a name the
    newest run's."""
    card = _card(workspace, wanted)
    if card is not None:
        return model_path(card, model_dir)
    try:
        return find_checkpoint(workspace, wanted)
    except MissingDataError as error:
        of_the_zoo = ", ".join(_zoo_lifters())
        what = f"{error.what}; lifters of the zoo: {of_the_zoo}" if of_the_zoo else error.what
        raise MissingDataError(what, where=error.where, hint=error.hint) from error


def unusable(spec: LifterSpec, has_depth: bool, has_features: bool = False) -> str:
    """Why a lifter cannot lift detections, in words that go on after its name; or nothing."""
    task = spec.data.get("task", TASK)
    if task != TASK:
        return f"was trained for the task {task}: it does not lift 2D detections"
    variant = spec.features.variant
    if spec.features.uses_features and not has_features:
        return f"was trained with networks' features ({variant}), which are not there"
    if spec.features.uses_features and not spec.features.feature_pooling:
        return f"does not say how its features ({variant}) were read from the networks' maps"
    if spec.uses_depth and not has_depth:
        return f"was trained with depth ({variant}), which keypoints alone do not have"
    return ""


def _zoo_lifters() -> dict[str, Card]:
    return {name: card for name, card in load_cards().items() if card.kind == LIFTER}


def _card(workspace: Workspace, wanted: str | None) -> Card | None:
    """The zoo's lifter of this name, unless a run has the same."""
    card = _zoo_lifters().get(wanted or "")
    if card is None or workspace.run(card.id).path.is_dir() or Path(card.id).is_dir():
        return None
    return card


def _open(path: Path, device: str, card: Card | None = None) -> OpenedLifter:
    lifter = Lifter.open(path, device)
    target = lifter.spec.target
    if target.factor == "truth":  # the true depth is known in evaluations only
        lifter.spec = replace(lifter.spec, target=replace(target, factor="none"))
    return OpenedLifter(lifter, path, card.id if card else f"{path.parent.name}/{path.name}")


def _fitting(search: _Search) -> Iterator[tuple[OpenedLifter, str]]:
    """What can be used, the best first, each with the reason to take it."""
    runs = [run for run in reversed(search.workspace.runs()) if run.model is not None]
    for i, run in enumerate(runs):
        assert run.model is not None
        opened = _tried(run.model, search)
        if opened is not None:
            newest = "the newest run" if i == 0 else "the newest run that fits"
            yield opened, newest if len(runs) > 1 else "the only run"
    no_run = "no run fits" if runs else "there is no run here"
    for card, facts in best_first(_zoo_lifters().values(), search.given):
        path = find_file(card, search.model_dir)
        opened = None if path is None else _tried(path, search, card)
        if opened is not None:
            yield opened, f"of the zoo, as {no_run}; {describe(facts)}"


def _tried(path: Path, search: _Search, card: Card | None = None) -> OpenedLifter | None:
    """The lifter, unless it cannot be read or used; then the log says why."""
    try:
        if card is not None:
            path = model_path(card, search.model_dir)  # which compares it with the card's hash
        opened = _open(path, search.device, card)
    except AugliftError as error:
        logger.warning("%s is passed over: %s", path, error.what)
        return None
    given = search.given
    why_not = unusable(opened.lifter.spec, given.has_depth, given.has_features)
    if why_not:
        logger.info("%s is passed over: it %s", opened.name, why_not)
        return None
    return opened


def _other(search: _Search) -> str:
    """What to type instead."""
    found = next(_fitting(search), None)
    if found is not None:
        there = found[0]
        return f"--checkpoint {there.name if there.name in _zoo_lifters() else there.path}"
    if search.given.has_depth:
        return "--checkpoint of another run"
    return "give the pictures or the video, or --checkpoint of a run of --variant xy or xyc"


def _none_fits(search: _Search) -> AugliftError:
    """The error where nothing can be chosen: no run at all, or none that fits."""
    runs = search.workspace.runs()
    if not runs:
        find_checkpoint(search.workspace, None)  # raises, and says how to get one
    path = runs[-1].model
    assert path is not None
    spec, given = _open(path, search.device).lifter.spec, search.given
    why_not = unusable(spec, given.has_depth, given.has_features)
    return UsageError(
        f"no run fits; the newest, {runs[-1].name}, {why_not}",
        where=path,
        hint=_other(search),
    )
