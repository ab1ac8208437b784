"""Which rows go through the network together: the plans for lifting whole tables.

In: a `PoseData` and a lifter's shape. Out: batches, each the row numbers (B, T) that go in and
those of the poses (B, T') that come out, −1 for poses that nobody asked for. Every row is answered
once.

`window_batches` gives every row a window of its own, as the reference systems do. `clip_batches`
gives runs of rows that share the work: a many-to-one lifter slides over them and its poses are
those of the windows, at the tracks' ends too; a sequence lifter answers for whole clips, which
overlap so that every frame but a track's first and last has context on both sides.

Time is the model's. At twice its rate a track is two interleaved runs, its even and its odd rows.
Where a rate is no multiple of the model's, the windows of neighbouring rows are not runs of each
other: many-to-one lifters then take windows, sequence lifters the nearest row at each of their
times.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from auglift.errors import UsageError
from auglift.lifting.data import PoseData, window_offsets
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.windows import CPU_WINDOWS, GPU_WINDOWS

# Frames (of lifters that keep joints apart: joints) in one pass. A TCN of 1024 channels then takes
# 32 MB for each layer's output on a CPU, which is about where larger passes stop being faster.
CPU_FRAMES = 8192
GPU_FRAMES = 131_072


@dataclass(frozen=True)
class Batch:
    """Rows that go through the network together."""

    rows: Tensor
    """(B, T) what goes in."""
    answers: Tensor
    """(B, T') the row of each pose that comes out; −1: nobody's."""


@dataclass(frozen=True)
class Track:
    """The rows of one person in one sequence."""

    first: int
    last: int
    ratio: float
    """Its frame rate by the model's."""


@dataclass(frozen=True)
class Size:
    """How much goes through at once."""

    frames: int
    """Of runs, over all samples of a pass."""
    samples: int
    """Runs in a pass."""
    windows: int
    """Windows in a pass."""

    @classmethod
    def of(cls, model: LifterModel, n_joints: int, device: str, batch_size: int | None) -> Size:
        """By device; `batch_size`, where given, is the number of poses."""
        if batch_size is not None:
            return cls(batch_size, batch_size, batch_size)
        on_cpu = torch.device(device).type == "cpu"
        frames, samples = (CPU_FRAMES, CPU_WINDOWS) if on_cpu else (GPU_FRAMES, GPU_WINDOWS)
        frames = max(1, frames // (n_joints if model.per_joint else 1))
        # Transformers over 81 frames are fastest on a CPU with 16 windows at once (1,300 frames);
        # what sees fewer frames may take more windows.
        return cls(frames, samples, max(samples, frames // (6 * model.receptive_field)))


def tracks_of(data: PoseData, fps: float) -> list[Track]:
    """Every track, in order."""
    first = torch.unique(data.first)
    last, ratio = data.last[first], data.fps[first].double() / fps
    return [Track(*t) for t in zip(first.tolist(), last.tolist(), ratio.tolist(), strict=True)]


def whole_ratio(track: Track, model: LifterModel) -> int | None:
    """Frames of the track in one of the model's, if a window takes exactly every so many-th."""
    step = max(1, round(track.ratio))
    offsets = window_offsets(model.receptive_field, model.causal).double()
    same = torch.equal((offsets * track.ratio).round(), offsets * step)
    return step if same else None


def window_batches(
    data: PoseData, model: LifterModel, fps: float, size: Size, rows: Tensor | None = None
) -> Iterator[Batch]:
    """A window for each of `rows` (of all), whose pose alone is asked for."""
    offsets = window_offsets(model.receptive_field, model.causal).to(data.device)
    if rows is None:
        rows = torch.arange(len(data), device=data.device)
    for some in torch.split(rows, size.windows):
        answers = some[:, None]
        if model.sequence:
            answers = torch.full((len(some), len(offsets)), -1, device=data.device)
            answers[:, model.receptive_field // 2] = some
        yield Batch(data.window_rows(some, offsets, fps), answers)


def clip_batches(
    data: PoseData, model: LifterModel, fps: float, size: Size, overlap: bool = True
) -> Iterator[Batch]:
    """Runs of rows; windows where a track's frame rate leaves no choice.

    Without `overlap` a sequence lifter answers for clip after clip, as its authors evaluate it.
    """
    runs: list[Batch] = []
    alone: list[Tensor] = []
    for track in tracks_of(data, fps):
        step = whole_ratio(track, model)
        if model.sequence:
            runs += _sequence_runs(
                track, track.ratio if step is None else step, model, size, overlap
            )
        elif step is None:
            alone.append(torch.arange(track.first, track.last + 1))
        else:
            runs += _sliding_runs(track, step, model, size)
    yield from _together(runs, size)
    if alone:
        yield from window_batches(data, model, fps, size, torch.cat(alone).to(data.device))


@dataclass(frozen=True)
class Schedule:
    """Tracks side by side and one after another, for a stream."""

    every: int
    """Frames of the tracks in one of the model's."""
    rows: Tensor
    """(S, P) the row that each person shows at each step; −1: nobody."""
    begins: Tensor
    """(S, P) where a track begins."""


def stream_schedules(
    data: PoseData, model: LifterModel, fps: float, n_people: int
) -> Iterator[Schedule]:
    """Every track, frame by frame, at most `n_people` at once: a schedule for each frame rate."""
    require_whole_ratios(data, model, fps)
    by_ratio: dict[int, list[Track]] = defaultdict(list)
    for track in tracks_of(data, fps):
        by_ratio[whole_ratio(track, model) or 1].append(track)
    for every, tracks in by_ratio.items():
        queues: list[list[Tensor]] = [[] for _ in range(min(n_people, len(tracks)))]
        for track in sorted(tracks, key=lambda track: track.first - track.last):
            shortest = min(queues, key=lambda queue: sum(map(len, queue)))
            shortest.append(torch.arange(track.first, track.last + 1))
        rows = pad_sequence([torch.cat(queue) for queue in queues], padding_value=-1)
        yield Schedule(every, rows, torch.isin(rows, data.first.cpu()))


def require_whole_ratios(data: PoseData, model: LifterModel, fps: float) -> None:
    """Raise unless the windows of every track are runs of its rows, or of every so many-th."""
    for track in tracks_of(data, fps):
        if whole_ratio(track, model) is None:
            raise UsageError(
                f"frames at {track.ratio * fps:g} Hz, for a lifter of {fps:g} Hz",
                hint="a whole multiple of its rate works; so do windows (mode=window)",
            )


def _sliding_runs(track: Track, step: int, model: LifterModel, size: Size) -> Iterator[Batch]:
    """Every phase of a track, padded with its edge rows as windows are, in pieces of one length."""
    field = model.receptive_field
    before = field - 1 if model.causal else field // 2
    for phase in range(min(step, track.last - track.first + 1)):
        rows = torch.arange(track.first + phase, track.last + 1, step)
        n_pieces = math.ceil(len(rows) / size.frames)
        n_poses = _rounded_up(math.ceil(len(rows) / n_pieces))
        n_missing = n_pieces * n_poses - len(rows)
        padded = _padded(rows, track, before, field - 1 - before + n_missing)
        answers = torch.cat([rows, rows.new_full((n_missing,), -1)])
        yield Batch(
            padded.unfold(0, n_poses + field - 1, n_poses), answers.unfold(0, n_poses, n_poses)
        )


def _sequence_runs(
    track: Track, ratio: float, model: LifterModel, size: Size, overlap: bool
) -> Iterator[Batch]:
    """Every phase of a track in clips, of which the answers about their middle are kept."""
    field = model.receptive_field
    for rows, answers in _phases(track, ratio):
        n_frames, length, block = len(rows), field, field
        if overlap and model.any_length:
            # The model itself makes overlapping windows of what it gets.
            length = max(2 * field, size.frames)
            length = min(length, max(n_frames, field))
            block = max(1, length - field)
        elif overlap:
            block = (field + 1) // 2
        rows = _padded(rows, track, 0, max(0, length - n_frames))
        answers = torch.cat([answers, answers.new_full((len(rows) - n_frames,), -1)])
        yield _clips(rows, answers, length, block)


def _phases(track: Track, ratio: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Runs of rows at the model's times, and which of them each run answers for.

    Run p has the rows p behind the first run's; together they pass every row at least once.
    """
    n_rows = track.last - track.first + 1
    at = (torch.arange(math.ceil(n_rows / ratio) + 1, dtype=torch.float64) * ratio).round().long()
    # Rows up to the next time's are nearest to this time's; none, if that is the same row.
    nearest = at.diff()
    for phase in range(min(int(nearest.max()), n_rows)):
        rows = at[:-1] + phase
        answers = torch.where(phase < nearest, track.first + rows, -1)
        inside = rows < n_rows
        yield track.first + rows[inside], answers[inside]


def _clips(rows: Tensor, answers: Tensor, length: int, block: int) -> Batch:
    """Clips start every `block` frames and answer for their central ones.

    The first one also answers for what lies before, the last one, which ends with the run, for what
    lies behind.
    """
    final = len(rows) - length
    starts = torch.tensor([*range(0, final, block), final])
    cuts = starts + (length - block) // 2
    begins, ends = cuts.clone(), torch.cat([cuts[1:], cuts.new_tensor([len(rows)])])
    begins[0] = 0
    places = starts[:, None] + torch.arange(length)
    kept = (places >= begins[:, None]) & (places < ends[:, None])
    return Batch(rows[places], torch.where(kept, answers[places], -1))


def _together(runs: Iterable[Batch], size: Size) -> Iterator[Batch]:
    """Batches of runs of one length each."""
    by_length: dict[int, list[Batch]] = defaultdict(list)
    for run in runs:
        by_length[run.rows.shape[1]].append(run)
    for length, alike in by_length.items():
        rows = torch.cat([run.rows for run in alike])
        answers = torch.cat([run.answers for run in alike])
        n_samples = max(1, min(size.samples, size.frames // length))
        for start in range(0, len(rows), n_samples):
            some = slice(start, start + n_samples)
            yield Batch(rows[some], answers[some])


def _padded(rows: Tensor, track: Track, n_before: int, n_behind: int) -> Tensor:
    first, last = rows.new_full((n_before,), track.first), rows.new_full((n_behind,), track.last)
    return torch.cat([first, rows, last])


def _rounded_up(length: int) -> int:
    """By at most an eighth, so that tracks of about the same length go together."""
    grain = max(1, length // 8)
    return math.ceil(length / grain) * grain
