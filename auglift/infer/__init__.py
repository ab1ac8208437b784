"""Stage 6, `auglift infer`: pictures, videos or keypoints → 3D people.

In: any number of inputs, each a picture, a folder or pattern of pictures (one clip), a video, or 2D
keypoints that another tool wrote; or the split of a dataset; or a camera; and a lifter. Out, for
each input, beside it or in the output folder: `<stem>_auglift.json`, `.npz`, the overlay as `.mp4`
(`.png` for a picture), a page to look at it, and motion files where they are asked for.

Pictures go through the detector of `detect-depth`, and what is found through the features of
`train`. A person's poses come from his own frames before and after, at the clip's own times; then
they are smoothed and placed before the camera.

    config, results    what to do, and what became of it
    inputs, tools      what there is, and what is opened for it (extras: what must be installed)
    clip, dataset      one input, or the sequences of a table, to files
    online             frame by frame
    scene              what these have in common: tracks → people in space
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from auglift.errors import AugliftError, MissingDataError, UsageError
from auglift.executors import Progress, silent
from auglift.infer.config import InferConfig
from auglift.infer.results import Failure, InferredFile, InferResult

if TYPE_CHECKING:
    from auglift.detection.zoo_detector import OpenedDetector
    from auglift.infer.tools import Tools
    from auglift.outputs.people3d import LiftedPeople
    from auglift.outputs.result_files import ResultFiles

__all__ = [
    "Failure", "InferConfig", "InferResult", "InferredFile", "infer", "infer_online", "lift",
]  # fmt: skip

logger = logging.getLogger(__name__)


def infer(
    config: InferConfig, progress: Progress = silent, detector: OpenedDetector | None = None
) -> InferResult:
    """Lift everybody in every input; one that fails does not stop the others.

    Failures stand in the result; where no input succeeds, the first one's error is raised.
    """
    from auglift.infer.tools import Tools

    tools = Tools(config, progress, detector)
    if config.dataset is not None:
        from auglift.infer.dataset import infer_dataset

        return infer_dataset(tools)
    if not config.inputs:
        raise UsageError("no input", hint="auglift infer clip.mp4")
    return _infer_inputs(tools)


def lift(path: str | Path, **settings: Any) -> LiftedPeople:
    """The people of one picture, video or keypoint file, without writing any file.

    `settings` are those of `InferConfig`. The same as `auglift.infer(path)`.
    """
    from auglift.infer.clip import lift_clip
    from auglift.infer.extras import require_extras
    from auglift.infer.inputs import check_input, is_keypoints
    from auglift.infer.tools import Tools

    config, source = InferConfig(**settings), Path(path)
    check_input(source)
    require_extras((), config.tracker)
    return lift_clip(source, is_keypoints(source), Tools(config)).people


def infer_online(
    config: InferConfig, detector: OpenedDetector | None = None
) -> Iterator[dict[str, Any]]:
    """A document that says what follows, then one for each frame, as soon as it is seen."""
    from auglift.infer.online import infer_frames

    return infer_frames(config, detector)


def _infer_inputs(tools: Tools) -> InferResult:
    from auglift.infer.clip import as_it_is, infer_clip
    from auglift.infer.extras import require_extras
    from auglift.infer.inputs import is_photo

    config = tools.config
    jobs, failures = _plan(config)
    require_extras({kind for job in jobs for kind in job.todo}, config.tracker)
    # What cannot be opened stops all of them at once.
    pictures = [job.source for job in jobs if job.todo and not job.is_keypoints]
    for kind in () if config.dry_run else dict.fromkeys(map(is_photo, pictures)):
        tools.detector(kind)
    done: list[InferredFile] = []
    for job in jobs:
        try:
            todo = job.todo and not config.dry_run
            done.append(infer_clip(job, tools) if todo else as_it_is(job))
        except AugliftError as error:
            failures.append(Failure(job.source, error))
    if not done:
        raise failures[0].error
    for failure in failures:
        logger.error("%s is left undone: %s", failure.source, failure.error)
    return InferResult(tuple(done), tuple(failures))


def _plan(config: InferConfig) -> tuple[list[ResultFiles], list[Failure]]:
    """The files of every input that is there, and those that are not."""
    from auglift.infer.inputs import check_input, is_keypoints
    from auglift.outputs.result_files import plan_results

    inputs = [(path, is_keypoints(path)) for path in config.inputs]
    jobs: list[ResultFiles] = []
    failures: list[Failure] = []
    for job in plan_results(inputs, config.output, config.written_formats, config.overwrite):
        try:
            check_input(job.source)
            jobs.append(job)
        except MissingDataError as error:
            failures.append(Failure(job.source, error))
    return jobs, failures


class _CallableModule(ModuleType):
    """`auglift.infer("clip.mp4")`: this package shares its name with what it does."""

    def __call__(self, path: str | Path, **settings: Any) -> LiftedPeople:
        return lift(path, **settings)


sys.modules[__name__].__class__ = _CallableModule
