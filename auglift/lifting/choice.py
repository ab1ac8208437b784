"""Which lifter: the one that is named, else the newest run that can work with what there is.

In: a workspace, a name (a run, its folder, a checkpoint, a card of the zoo) or none, and whether
there will be depth. Out: an `OpenedLifter`, which says what was chosen and why.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from auglift.errors import AugliftError, UsageError
from auglift.lifting.checkpoint import find_checkpoint
from auglift.lifting.lifter import Lifter
from auglift.lifting.spec import LifterSpec
from auglift.storage.cards import load_cards
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


def open_lifter(
    workspace: Workspace,
    wanted: str | None,
    *,
    has_depth: bool,
    device: str = "cpu",
    model_dir: Path | None = None,
) -> OpenedLifter:
    """The lifter that is named, if it can be used; without a name the newest that can."""
    if wanted is not None:
        opened = _open(find_lifter(workspace, wanted, model_dir), device)
        why_not = unusable(opened.lifter.spec, has_depth)
        if why_not:
            raise UsageError(
                f"{opened.name} {why_not}",
                where=opened.path,
                hint=_other(workspace, has_depth, device),
            )
        return opened
    candidates = list(_fitting(workspace, has_depth, device))
    if candidates:
        return candidates[0]
    raise _none_fits(workspace, has_depth, device)


def find_lifter(workspace: Workspace, wanted: str, model_dir: Path | None = None) -> Path:
    """The checkpoint of a run's name or folder, a file, or a lifter of the zoo."""
    card = load_cards().get(wanted)
    is_run = workspace.root.joinpath("work_dirs", wanted).is_dir() or Path(wanted).is_dir()
    if card is not None and card.kind == "lifter" and not is_run:
        return model_path(card, model_dir)
    return find_checkpoint(workspace, wanted)


def unusable(spec: LifterSpec, has_depth: bool) -> str:
    """Why a lifter cannot lift detections, in words that go on after its name; or nothing."""
    task = spec.data.get("task", TASK)
    if task != TASK:
        return f"was trained for the task {task}: it does not lift 2D detections"
    if spec.features.uses_features:
        return f"was trained with networks' features ({spec.features.variant}), which are not made"
    if spec.uses_depth and not has_depth:
        variant = spec.features.variant
        return f"was trained with depth ({variant}), which keypoints alone do not have"
    return ""


def _open(path: Path, device: str) -> OpenedLifter:
    lifter = Lifter.open(path, device)
    target = lifter.spec.target
    if target.factor == "truth":  # the true depth is known in evaluations only
        lifter.spec = replace(lifter.spec, target=replace(target, factor="none"))
    return OpenedLifter(lifter, path, f"{path.parent.name}/{path.name}")


def _fitting(workspace: Workspace, has_depth: bool, device: str) -> Iterator[OpenedLifter]:
    """Runs that can be used, the newest first; then lifters of the zoo that lie on this machine."""
    runs = [run for run in reversed(workspace.runs()) if run.model is not None]
    for i, run in enumerate(runs):
        assert run.model is not None
        opened = _tried(run.model, has_depth, device)
        if opened is not None:
            fits = "the newest run" if i == 0 else "the newest run that fits"
            logger.info("lifter %s: %s", opened.name, fits if len(runs) > 1 else "the only run")
            yield opened
            return
    lifters = [card for card in load_cards().values() if card.kind == "lifter"]
    for path in (find_file(card) for card in lifters):
        opened = _tried(path, has_depth, device) if path is not None else None
        if opened is not None:
            logger.info("lifter %s: of the zoo, as there is no run that fits", opened.name)
            yield opened
            return


def _tried(path: Path, has_depth: bool, device: str) -> OpenedLifter | None:
    """The lifter, unless it cannot be read or used; then the log says why."""
    try:
        opened = _open(path, device)
    except AugliftError as error:
        logger.warning("%s is passed over: %s", path, error.what)
        return None
    why_not = unusable(opened.lifter.spec, has_depth)
    if why_not:
        logger.info("%s is passed over: it %s", opened.name, why_not)
        return None
    return opened


def _other(workspace: Workspace, has_depth: bool, device: str) -> str:
    """What to type instead."""
    there = next(_fitting(workspace, has_depth, device), None)
    if there is not None:
        return f"--checkpoint {there.path}"
    if has_depth:
        return "--checkpoint of another run"
    return "give the pictures or the video, or --checkpoint of a run of --variant xy or xyc"


def _none_fits(workspace: Workspace, has_depth: bool, device: str) -> AugliftError:
    """The error where nothing can be chosen: no run at all, or none that fits."""
    runs = workspace.runs()
    if not runs:
        find_checkpoint(workspace, None)  # raises, and says how to get one
    path = runs[-1].model
    assert path is not None
    why_not = unusable(_open(path, device).lifter.spec, has_depth)
    return UsageError(
        f"no run fits; the newest, {runs[-1].name}, {why_not}",
        where=path,
        hint=_other(workspace, has_depth, device),
    )
