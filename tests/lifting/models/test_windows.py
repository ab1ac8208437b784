"""Windows over clips: which frames meet, which are kept, how many at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from auglift.lifting.models.windows import CPU_WINDOWS, blend, slide, stitch


def with_places(windows: Tensor) -> Tensor:
    """Frame numbers (N, T, 1) → frame numbers and places in the window (N, T, 2)."""
    places = torch.arange(windows.shape[1]).expand(len(windows), -1)[..., None]
    return torch.cat((windows, places), dim=-1)


def clip(n_clips: int, n_frames: int) -> Tensor:
    return torch.arange(n_frames).expand(n_clips, -1)[..., None]


@given(frames=st.integers(1, 9), more=st.integers(0, 60), n_clips=st.integers(1, 3), data=st.data())
@settings(deadline=None, max_examples=50)
def test_stitching_keeps_every_frame_once_with_the_context_of_its_block(
    frames: int, more: int, n_clips: int, data: st.DataObject
) -> None:
    block = data.draw(st.integers(1, frames))
    n_frames = frames + more
    found = stitch(with_places, clip(n_clips, n_frames), frames, block)
    assert torch.equal(found[..., :1], clip(n_clips, n_frames))
    before, lead = found[0, :, 1], (frames - block) // 2
    after = frames - 1 - before
    number = torch.arange(n_frames)
    assert (before >= number.clamp(max=lead)).all()
    assert (after >= (n_frames - 1 - number).clamp(max=frames - lead - block)).all()


@given(frames=st.integers(1, 9), more=st.integers(0, 60), n_clips=st.integers(1, 3), data=st.data())
@settings(deadline=None, max_examples=50)
def test_blending_takes_the_mean_of_all_windows_by_how_near_their_middle_is(
    frames: int, more: int, n_clips: int, data: st.DataObject
) -> None:
    hop = data.draw(st.integers(1, frames))
    n_frames = frames + more
    found = blend(with_places, clip(n_clips, n_frames).double(), frames, hop)
    starts = {*range(0, more, hop), more}
    for frame in range(n_frames):
        places = [frame - start for start in starts if start <= frame < start + frames]
        weights = [min(place + 1, frames - place) for place in places]
        mean = sum(w * p for w, p in zip(weights, places, strict=True)) / sum(weights)
        expected = torch.tensor([frame, mean if more else frame], dtype=torch.float64)
        torch.testing.assert_close(found[:, frame], expected.expand(n_clips, -1))


@pytest.mark.parametrize("join", [stitch, blend])
def test_a_short_clip_is_one_short_window(join: Callable[..., Tensor]) -> None:
    assert torch.equal(join(with_places, clip(1, 4), 9, 3)[0, :, 1], torch.arange(4))


@pytest.mark.parametrize("n_clips", [1, 3])
def test_sliding_windows_are_all_there_in_order(n_clips: int) -> None:
    ends = slide(lambda windows: windows[:, [0, -1], 0], clip(n_clips, 50), 9)
    first = torch.arange(42)
    assert torch.equal(ends, torch.stack((first, first + 8), dim=1).expand(n_clips, -1, -1))


@pytest.mark.parametrize("n_clips", [1, 3, 40])
def test_few_windows_are_in_memory_at_once(n_clips: int) -> None:
    sizes: list[int] = []

    def stage(windows: Tensor) -> Tensor:
        sizes.append(len(windows))
        return windows

    slide(stage, clip(n_clips, 100), 9)
    assert sum(sizes) == n_clips * 92
    stitch(stage, clip(n_clips, 100), 9, 1)
    blend(stage, clip(n_clips, 100).float(), 9, 1)
    assert max(sizes) <= max(CPU_WINDOWS, n_clips)
