"""Plans answer for every row once, with the frames that its window has, and no others."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from auglift.errors import UsageError
from auglift.lifting.data import PoseData, load_pose_data, window_offsets
from auglift.lifting.engine import (
    CPU_FRAMES,
    GPU_FRAMES,
    Batch,
    Size,
    clip_batches,
    stream_schedules,
    window_batches,
)
from auglift.lifting.models.interface import LifterModel

FPS = 25.0
SMALL = Size(frames=32, samples=4, windows=4)


def tracks(lengths: Iterable[int], fps: Iterable[float]) -> PoseData:
    starts = np.cumsum([0, *lengths])
    return load_pose_data({"detected": np.ones(starts[-1], bool)}, starts, np.array([*fps]))


def shape(frames: int, *, causal: bool = False, **kind: bool) -> LifterModel:
    model = LifterModel()
    model.receptive_field, model.causal = frames, causal
    model.sequence, model.any_length = kind.get("sequence", False), kind.get("any_length", True)
    return model


def answered(batches: Iterable[Batch]) -> Tensor:
    """Every row that is answered for, in order."""
    return torch.cat([b.answers[b.answers >= 0] for b in batches]).sort().values


some_tracks = st.lists(
    st.tuples(st.integers(1, 70), st.sampled_from([12.5, 25.0, 25.001, 30.0, 50.0, 59.94, 100.0])),
    min_size=1,
    max_size=4,
)


@given(tracks_of=some_tracks, frames=st.sampled_from([1, 3, 9, 27]), causal=st.booleans())
@settings(deadline=None, max_examples=50)
def test_sliding_over_clips_meets_the_frames_of_the_windows(
    tracks_of: list[tuple[int, float]], frames: int, causal: bool
) -> None:
    data = tracks(*zip(*tracks_of, strict=True))
    model = shape(frames, causal=causal)
    offsets = window_offsets(frames, causal)
    batches = list(clip_batches(data, model, FPS, SMALL))
    assert torch.equal(answered(batches), torch.arange(len(data)))
    for batch in batches:
        windows = batch.rows.unfold(1, frames, 1)
        assert windows.shape[:2] == batch.answers.shape
        wanted = batch.answers >= 0
        expected = data.window_rows(batch.answers[wanted], offsets, FPS)
        assert torch.equal(windows[wanted], expected)


@given(tracks_of=some_tracks, frames=st.sampled_from([1, 4, 9]), any_length=st.booleans())
@settings(deadline=None, max_examples=50)
def test_clips_answer_for_every_row_with_frames_of_its_own_track(
    tracks_of: list[tuple[int, float]], frames: int, any_length: bool
) -> None:
    data = tracks(*zip(*tracks_of, strict=True))
    model = shape(frames, sequence=True, any_length=any_length)
    for overlap in (False, True):
        batches = list(clip_batches(data, model, FPS, SMALL, overlap))
        assert torch.equal(answered(batches), torch.arange(len(data)))
        for batch in batches:
            given_ = batch.answers >= 0
            assert torch.equal(batch.rows[given_], batch.answers[given_])
            assert (data.first[batch.rows] == data.first[batch.rows[:, :1]]).all()
            assert (batch.rows.diff(dim=1) >= 0).all()
            assert batch.rows.shape[1] >= frames
            if not (any_length and overlap):
                assert batch.rows.shape[1] == frames


@pytest.mark.parametrize(("fps", "step"), [(25.0, 1), (50.0, 2), (75.0, 3)])
def test_clips_are_in_the_models_time(fps: float, step: int) -> None:
    data = tracks([100], [fps])
    for batch in clip_batches(data, shape(9, sequence=True, any_length=False), FPS, SMALL):
        assert (batch.rows.diff(dim=1) == step).all()


def test_clips_at_an_odd_rate_take_the_nearest_rows() -> None:
    data = tracks([120], [30.0])
    for batch in clip_batches(data, shape(9, sequence=True, any_length=False), FPS, SMALL):
        times_s = (batch.rows - batch.rows[:, :1]) / 30.0
        np.testing.assert_allclose(
            times_s, np.tile(np.arange(9) / FPS, (len(times_s), 1)), atol=1 / 30
        )


def test_overlapping_clips_answer_for_what_has_context_on_both_sides() -> None:
    data = tracks([100], [FPS])
    for batch in clip_batches(data, shape(9, sequence=True, any_length=False), FPS, SMALL):
        row, place = batch.answers[batch.answers >= 0], (batch.answers >= 0).nonzero()[:, 1]
        assert (place >= row.clamp(max=2)).all()
        assert (8 - place >= (99 - row).clamp(max=2)).all()


def test_without_overlap_clips_lie_side_by_side() -> None:
    data = tracks([27], [FPS])
    (batch,) = clip_batches(data, shape(9, sequence=True), FPS, SMALL, overlap=False)
    assert torch.equal(batch.rows, torch.arange(27).view(3, 9))
    assert torch.equal(batch.answers, batch.rows)


def test_a_short_track_is_one_padded_clip() -> None:
    (batch,) = clip_batches(tracks([3], [FPS]), shape(5, sequence=True), FPS, SMALL)
    assert batch.rows.tolist() == [[0, 1, 2, 2, 2]]
    assert batch.answers.tolist() == [[0, 1, 2, -1, -1]]


def test_a_window_of_a_sequence_lifter_answers_for_its_middle() -> None:
    (batch,) = window_batches(tracks([3], [FPS]), shape(3, sequence=True), FPS, SMALL)
    assert batch.rows.tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2]]
    assert batch.answers.tolist() == [[-1, 0, -1], [-1, 1, -1], [-1, 2, -1]]


@pytest.mark.parametrize("sequence", [False, True])
def test_no_pass_is_larger_than_told(sequence: bool) -> None:
    data = tracks([500, 7, 7, 7, 7, 7, 7, 31], [FPS] * 8)
    model = shape(9, sequence=sequence)
    for batch in clip_batches(data, model, FPS, SMALL):
        assert len(batch.rows) <= SMALL.samples
        # An eighth for rounding, and the frames that every window needs besides.
        assert batch.answers.numel() <= SMALL.frames * 9 // 8
    for batch in window_batches(data, model, FPS, SMALL):
        assert len(batch.rows) <= SMALL.windows


def test_tracks_of_about_one_length_go_together() -> None:
    lengths = [*range(40, 56)] * 4
    batches = list(clip_batches(tracks(lengths, [FPS] * 64), shape(9), FPS, Size(8192, 16, 16)))
    assert len(batches) <= 8
    assert sum(b.answers.numel() for b in batches) <= 1.125 * sum(lengths)


def test_sizes_follow_the_device_and_the_joints() -> None:
    model = shape(81)
    assert Size.of(model, 17, "cpu", None) == Size(CPU_FRAMES, 16, 16)
    assert Size.of(model, 17, "cuda:1", None).frames == GPU_FRAMES
    assert Size.of(model, 17, "cpu", 7) == Size(7, 7, 7)
    assert Size.of(shape(1), 17, "cpu", None).windows > 1000
    model.per_joint = True
    assert Size.of(model, 133, "cpu", None).frames == CPU_FRAMES // 133


@given(
    tracks_of=st.lists(st.tuples(st.integers(1, 40), st.sampled_from([25.0, 50.0])), min_size=1),
    n_people=st.integers(1, 5),
)
@settings(deadline=None, max_examples=25)
def test_streams_show_every_track_from_its_begin_to_its_end(
    tracks_of: list[tuple[int, float]], n_people: int
) -> None:
    data = tracks(*zip(*tracks_of, strict=True))
    model = shape(9)
    shown = []
    for schedule in stream_schedules(data, model, FPS, n_people):
        assert schedule.rows.shape[1] <= n_people
        for rows, begins in zip(schedule.rows.T, schedule.begins.T, strict=True):
            rows, begins = rows[: (rows >= 0).sum()], begins[: (rows >= 0).sum()]
            assert (rows >= 0).all()  # nobody comes back after an absence
            assert torch.equal(begins, rows == data.first[rows])
            assert ((rows.diff() == 1) | begins[1:]).all()
            assert (data.fps[rows] / FPS).round().long().eq(schedule.every).all()
            shown.append(rows)
    assert torch.equal(torch.cat(shown).sort().values, torch.arange(len(data)))


def test_streams_need_a_multiple_of_the_lifters_rate() -> None:
    with pytest.raises(UsageError, match="30 Hz, for a lifter of 25 Hz"):
        next(stream_schedules(tracks([9], [30.0]), shape(27), FPS, 1))
    # A single frame has no neighbours that could lie at odd times.
    assert next(stream_schedules(tracks([9], [30.0]), shape(1), FPS, 1)).every == 1
