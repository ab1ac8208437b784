"""Epochs: every dataset's share is counted, clips cover their tracks, draws repeat."""

from __future__ import annotations

import itertools

import pytest
import torch

from auglift.errors import ConfigError, DataError
from auglift.lifting.recipe import Recipe
from auglift.lifting.sampling import clip_rows, make_sampler, thinned


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def counts(order: torch.Tensor, bounds: tuple[int, ...]) -> list[int]:
    return [int(((order >= a) & (order < b)).sum()) for a, b in itertools.pairwise(bounds)]


BOUNDS = (0, 100, 130, 1000)


def test_proportional_takes_every_row_once() -> None:
    rows = torch.arange(5, 1000)
    sampler = make_sampler(rows, BOUNDS, Recipe())
    order = sampler.epoch(seeded())
    assert len(sampler) == len(order) == 995
    assert torch.equal(order.sort().values, rows)
    assert not torch.equal(order, rows)
    assert torch.equal(order, sampler.epoch(seeded()))
    assert not torch.equal(order, sampler.epoch(seeded(1)))


def test_balanced_takes_equally_much_of_each_dataset_in_every_epoch() -> None:
    sampler = make_sampler(torch.arange(1000), BOUNDS, Recipe(sampling="balanced"))
    for seed in range(3):
        order = sampler.epoch(seeded(seed))
        assert counts(order, BOUNDS) == [333, 333, 333]
        # The small dataset's rows come equally often, the large one's at most once.
        _, often = order[(order >= 100) & (order < 130)].unique(return_counts=True)
        assert len(often) == 30
        assert often.max() - often.min() <= 1
        assert order[order >= 130].unique().numel() == 333


def test_shares_by_weight() -> None:
    recipe = Recipe(sampling="weights", weights=(2.0, 1.0, 1.0))
    assert counts(make_sampler(torch.arange(1000), BOUNDS, recipe).epoch(seeded()), BOUNDS) == [
        500, 250, 250,
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="3 weights for 2 datasets"):
        make_sampler(torch.arange(1000), (0, 10, 1000), recipe)


def test_a_dataset_without_samples_cannot_be_balanced() -> None:
    with pytest.raises(DataError, match="dataset 2 of 3"):
        make_sampler(torch.arange(100), (0, 50, 50, 100), Recipe(sampling="balanced"))
    assert len(make_sampler(torch.arange(100), (0, 50, 50, 100), Recipe())) == 100


@pytest.mark.parametrize("options", [{"sampling": "weights"}, {"weights": (1.0,)}])
def test_weights_and_their_sampling_belong_together(options: dict) -> None:
    with pytest.raises(ConfigError, match="belong together"):
        Recipe(**options)


@pytest.mark.parametrize(("frames", "stride", "fps"), [(9, 3, 25.0), (9, 9, 25.0), (5, 2, 12.5)])
def test_clips_cover_every_frame_and_stay_inside(columns, load, frames, stride, fps) -> None:
    data = load(columns, starts=(40, 44))  # 40, 4 (shorter than a clip) and 20 frames
    centres = clip_rows(data, torch.arange(64), frames, stride, fps)
    offsets = torch.arange(frames) - frames // 2
    rows = data.window_rows(centres, offsets.float(), fps)
    seen = set(rows.flatten().tolist())
    step = round(25.0 / fps)
    wanted = {r for a, b in ((0, 40), (40, 44), (44, 64)) for r in range(a, b - step + 1, step)}
    assert wanted <= seen | {r + 1 for r in seen}
    long_enough = (centres < 40) | (centres >= 44)
    assert data.inside(centres, offsets.float(), fps)[long_enough].float().mean() > 0.95
    assert len(centres) <= 3 + 60 / (stride * step)


def test_clips_without_anything_to_learn_are_left_out(columns, load) -> None:
    centres = clip_rows(load(columns, starts=(32,)), torch.arange(32, 64), 9, 3, 25.0)
    assert (centres >= 32).all()
    assert len(centres) > 3


def test_thinning_keeps_every_so_many_frames_of_each_track(columns, load) -> None:
    rows = torch.arange(64)
    data = load(columns, starts=(31,))
    assert thinned(data, rows, 10, 25.0).tolist() == [0, 10, 20, 30, 31, 41, 51, 61]
    assert thinned(data, rows, 1, 25.0).tolist() == rows.tolist()
    fast = load(columns, fps=[50.0])
    assert thinned(fast, rows, 10, 25.0).tolist() == [0, 20, 40, 60]
