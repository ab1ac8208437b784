"""`auglift film`: a raw dataset of the virtual world, to be preprocessed like any other.

In: a named scene, how many people do what. Out: `virtual_data/` with lossless videos, cameras and
the true joints. A take that is there is done; running again films what is missing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auglift.config import StageConfig, setting
from auglift.errors import ConfigError, PartlyDoneError, UsageError
from auglift.executors import Progress, Shard, fault_point, run_locally, silent
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.studio.capture import CapturePlan, Take

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FilmConfig(StageConfig):
    """Who does what, where, before which pictures."""

    data: Path | None = setting(None, affects_result=False)
    """Folder of the dataset; default: `virtual_data` below `root`."""

    scene: str = setting("lab")
    """lab: four fixed cameras; street: a hand-held phone; wide: anything."""

    actions: tuple[str, ...] = setting(())
    """Actions, each done once by every subject; default: all."""

    train_subjects: int = setting(5)
    """People to learn from."""

    test_subjects: int = setting(2)
    """People to test on."""

    first_subject: int = setting(1)
    """Number of the first: other numbers are other people."""

    people: int = setting(1)
    """People in every picture, up to four."""

    seconds: float = setting(2.0)
    """Length of a take."""

    rate_hz: float | None = setting(None)
    """Pictures per second; default: the scene's own (lab 50, street 30, wide 25)."""

    size: float = setting(1.0)
    """Scale of the pictures: 0.25 makes a lab picture 250 × 250."""

    seed: int = setting(0)
    """Of bodies, motions, cameras and surroundings."""

    workers: int = setting(1, affects_result=False)
    """Processes on this machine."""

    def __post_init__(self) -> None:
        if self.train_subjects + self.test_subjects < 1:
            raise ConfigError("somebody must be filmed", hint="--train-subjects 1")
        if not 1 <= self.people <= 4:
            raise ConfigError(f"1 to 4 people fit into a picture, not {self.people}")
        if self.seconds <= 0 or self.size <= 0 or (self.rate_hz is not None and self.rate_hz <= 0):
            raise ConfigError("seconds, size and rate_hz must be positive")


@dataclass(frozen=True)
class FilmResult:
    """What is there now."""

    folder: Path
    takes: int
    takes_done_before: int
    pictures: int
    """Filmed by this run."""


def film(config: FilmConfig, progress: Progress = silent) -> FilmResult:
    """Film whatever takes are missing."""
    from auglift.studio.capture import is_captured, plan_takes, write_dataset_file

    plan = capture_plan(config)
    folder = config.data or Workspace(config.root).raw_folder("virtual")
    if not config.overwrite:
        _check_same_plan(folder, plan)
    takes = plan_takes(plan)
    todo = [t for t in takes if config.overwrite or not is_captured(folder, t)]
    done_before = len(takes) - len(todo)
    if config.dry_run:
        logger.info("would film %d of %d takes into %s", len(todo), len(takes), folder)
        return FilmResult(folder, len(takes), done_before, 0)
    # First, so that a run with another plan is refused even if this one is interrupted.
    write_dataset_file(folder, plan)
    pictures = 0
    with progress(f"film {config.scene}", len(todo), "takes") as advance:
        # Several small shares for each process, so that progress is seen and the ends meet.
        n_shares = min(len(todo), 4 * config.workers) if config.workers > 1 else len(todo)
        shares = [Shard(i + 1, n_shares).take(todo) for i in range(n_shares)]
        for outcome in run_locally(partial(_film_takes, folder, plan), shares, config.workers):
            if outcome.error is not None:
                raise outcome.error
            pictures += outcome.result or 0
            advance(len(outcome.item))
    return FilmResult(folder, len(takes), done_before, pictures)


def capture_plan(config: FilmConfig) -> CapturePlan:
    """The plan that these settings mean."""
    from auglift.studio.capture import CapturePlan, subjects_by_split
    from auglift.studio.motions import ACTIONS
    from auglift.studio.places import get_scene

    subjects = subjects_by_split(
        config.train_subjects, config.test_subjects, first=config.first_subject
    )
    return CapturePlan(
        scene=config.scene,
        subjects=subjects,
        actions=config.actions or tuple(ACTIONS),
        seconds=config.seconds,
        rate_hz=config.rate_hz or get_scene(config.scene).rate_hz,
        size=config.size,
        people=config.people,
        seed=config.seed,
    )


def _check_same_plan(folder: Path, plan: CapturePlan) -> None:
    path = folder / "dataset.json"
    if not path.is_file():
        return
    there = json.loads(path.read_text(encoding="utf-8"))
    wanted = json.loads(json.dumps(asdict(plan)))
    changed = [name for name, value in wanted.items() if there.get(name) != value]
    if changed:
        raise UsageError(
            f"another virtual dataset is there: its {', '.join(changed)} differ",
            where=folder,
            hint="--data FOLDER for another place, or remove the folder",
        )


def _film_takes(folder: Path, plan: CapturePlan, takes: Sequence[Take]) -> int:
    """Pictures of some takes; a take that cannot be set up stops the others of its share."""
    from auglift.errors import DataError
    from auglift.studio.capture import capture_take

    pictures = 0
    for take in takes:
        try:
            pictures += capture_take(folder, plan, take)
        except DataError as error:
            raise PartlyDoneError(
                f"take {take.name} cannot be filmed: {error.what}",
                where=error.where,
                hint=error.hint or "choose other --actions, fewer --people or another --scene",
            ) from error
        fault_point("after_take", take.number)
    return pictures
