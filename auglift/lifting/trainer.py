"""One model learning from `Samples`: epochs, their exact resumption, and their loss.

Every epoch seeds itself from (seed, epoch), so that a run resumed at an epoch's end sees the same
batches, the same augmentation and the same dropout as one that was never stopped. Within a step the
host never waits for the device: it looks at the losses every `CHECKED_EVERY` steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from auglift.errors import AugliftError, DataError
from auglift.executors import Advance
from auglift.lifting.augment import Dice
from auglift.lifting.batches import BatchMaker, Windows, stacked, task_channels, trainable
from auglift.lifting.data import PoseData
from auglift.lifting.devices import explaining_memory
from auglift.lifting.distributed import World
from auglift.lifting.ema import Ema
from auglift.lifting.losses import Comparison, divide, parse_loss, require_no_lengths, weigh
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.optimisers import make_optimiser, make_schedule
from auglift.lifting.precision import Precision, usable_precision
from auglift.lifting.recipe import Recipe
from auglift.lifting.samples import Block, Part, Samples, batches_of
from auglift.lifting.sampling import clip_rows
from auglift.lifting.spec import LifterSpec
from auglift.lifting.targets import with_root

CHECKED_EVERY = 50
"""Steps between looks at the loss."""


class Trainer:
    """Holds model, optimiser and epoch counter; `run_epoch` learns from every sample once."""

    def __init__(
        self,
        model: LifterModel,
        spec: LifterSpec,
        samples: Samples,
        recipe: Recipe,
        device: str,
        world: World | None = None,
    ) -> None:
        """`samples` are those of all processes; each learns from its share of every batch."""
        self.world = world or World()
        self.model = model.to(device)
        self.spec, self.samples, self.recipe, self.device = spec, samples, recipe, device
        frames = model.receptive_field if model.sequence else 1
        self.terms = parse_loss(recipe.loss, frames, task_channels(spec, recipe.task)[1])
        if recipe.task == "2d3d" and spec.target.convention == "zscore":
            require_no_lengths(self.terms)
        self.batches = BatchMaker(spec, recipe, model, device)
        self.precision = Precision(usable_precision(recipe.precision, device), device)
        self.optimiser = make_optimiser(model, recipe)
        self.schedule = make_schedule(self.optimiser, recipe, self.steps_per_epoch)
        self.ema = Ema(self.model, recipe.ema_decay) if recipe.ema_decay else None
        self.network: nn.Module = self.world.wrap(self.model, torch.device(device))
        if recipe.compile:
            self.network.compile()  # in place, so that the names of the weights stay
        self.epoch = 0
        self.latest_lr = recipe.lr

    @property
    def samples_per_epoch(self) -> int:
        """Windows in an epoch, over all processes."""
        return len(self.samples)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return len(self._batch_bounds())

    @property
    def best_weights(self) -> LifterModel:
        """The model to validate and keep: the running mean, where there is one."""
        return self.ema.model if self.ema else self.model

    def run_epoch(self, advance: Advance, most_steps: int | None = None) -> float:
        """Learn from every sample once (or for `most_steps`); the mean loss."""
        self.model.train()
        losses: list[Tensor] = []
        bounds = self._batch_bounds()[:most_steps]
        with explaining_memory():
            for i_step, (windows, dice, mirrored) in enumerate(self._draws(bounds)):
                losses.append(self.step(windows, dice, mirrored))
                note = ""
                if (i_step + 1) % CHECKED_EVERY == 0 or i_step + 1 == len(bounds):
                    loss = self._checked(losses, i_step + 1 - CHECKED_EVERY, bounds)
                    note = f"step {i_step + 1}/{len(bounds)}, loss {loss:.4g}"
                start, stop = bounds[i_step]
                advance(stop - start, note)
            mean = self.world.sum(torch.stack(losses).nanmean() / self.world.size)
        self.epoch += 1
        return float(mean)

    def step(self, windows: Windows, dice: Dice, mirrored: bool) -> Tensor:
        """Learn from this process's windows of one batch; its part of the loss."""
        batch = self.batches.make(windows, dice, mirrored)
        with self.precision.reckoning():
            predicted = self.network(batch.features).float()
        if self.recipe.task == "2d3d":
            predicted = with_root(predicted, self.spec)
        compared = Comparison(
            predicted, batch.targets, batch.mask, batch.confidence, self.batches.skeleton
        )
        totals, weights = weigh(self.terms, compared)
        # DistributedDataParallel takes the mean of the processes' gradients, where we need the sum.
        loss = divide(totals, self.world.sum(weights)) * self.world.size
        self.precision.step(loss, self.model, self.optimiser, self.recipe.clip_norm)
        self.latest_lr = float(self.schedule.get_last_lr()[0])
        self.schedule.step()
        if self.ema:
            self.ema.update(self.model)
        return loss.detach()

    def state(self) -> dict[str, Any]:
        """What `load_state` needs to go on from here."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.precision.scaler.state_dict(),
            "ema": self.ema.state() if self.ema else None,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.epoch = state["epoch"]
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.precision.scaler.load_state_dict(state["scaler"])
        if self.ema:
            self.ema.load_state(state["ema"])

    def _draws(self, bounds: list[tuple[int, int]]) -> Iterator[tuple[Windows, Dice, bool]]:
        """Each batch's own windows, its dice, and whether it is mirrored (as a whole, or not)."""
        torch.manual_seed(self._seed + 7919 * self.world.rank)  # dropout
        generator = torch.Generator().manual_seed(self._seed)
        batches = self._batches(generator, bounds)
        coins = (torch.rand(len(bounds), generator=generator) < 0.5).tolist()
        on_device = torch.Generator(self.device).manual_seed(self._seed)
        for parts, (start, stop), coin in zip(batches, bounds, coins, strict=True):
            dice = Dice(on_device, stop - start, self.world.rank, self.world.size)
            yield self._windows(parts), dice, coin and self.recipe.augment.flip

    @property
    def _seed(self) -> int:
        return self.recipe.seed * 1_000_003 + self.epoch

    def _batches(
        self, generator: torch.Generator, bounds: list[tuple[int, int]]
    ) -> Iterator[list[Part]]:
        portions = self.samples.epoch(generator)
        return batches_of(portions, [stop - start for start, stop in bounds])

    def _windows(self, parts: Iterable[Part]) -> Windows:
        """This process's windows of a batch."""
        own, n_before = [], 0
        for block, rows in parts:
            share = self.world.share(rows, n_before)
            own.append(self.batches.gather(block.data, share))
            n_before += len(rows)
        return stacked(own)

    def _batch_bounds(self) -> list[tuple[int, int]]:
        """Where the batches begin and end in an epoch.

        Too few samples at the end for batch norm, or for all processes, join the batch before.
        """
        n_samples, size = self.samples_per_epoch, self.recipe.batch_size
        starts = list(range(0, n_samples, size))
        if len(starts) > 1 and n_samples - starts[-1] < 2 * self.world.size:
            starts.pop()
        return list(zip(starts, [*starts[1:], n_samples], strict=True))

    def _checked(self, losses: list[Tensor], start: int, bounds: list[tuple[int, int]]) -> float:
        """The latest loss, if the losses since step `start` are numbers."""
        start = max(start, 0)
        latest = torch.stack(losses[start:]).tolist()
        bad = [i for i, loss in enumerate(latest) if not math.isfinite(loss)]
        # In fp16 a step may overflow: it is left out, and the scaler scales less.
        allowed = len(latest) // 2 if self.precision.kind == "fp16" else 0
        if len(bad) > allowed:
            i_step = start + bad[0]
            raise AugliftError(
                f"the loss became {latest[bad[0]]} in epoch {self.epoch + 1}, step {i_step + 1}",
                where=self._largest(bounds, i_step),
                hint="lower the learning rate (--set lr=1e-4), clip gradients (--set clip_norm=1), "
                "or look at that row of the table",
            )
        return float(latest[-1])

    @torch.no_grad()
    def _largest(self, bounds: list[tuple[int, int]], i_step: int) -> str:
        """Which row of a batch has the largest number in its input or answer."""
        generator = torch.Generator().manual_seed(self._seed)
        parts = next(islice(self._batches(generator, bounds), i_step, None))
        found = [(*self._largest_row(*part), part[0]) for part in parts]
        size, row, block = max(found, key=lambda one: one[0])
        return (
            f"a batch of {sum(len(rows) for _, rows in parts)} windows; the largest number in it, "
            f"{size:.3g}, is in the window of {block.name_row(row)}"
        )

    def _largest_row(self, block: Block, rows: Tensor) -> tuple[float, int]:
        dice = Dice(torch.Generator(self.device).manual_seed(self._seed), len(rows))
        batch = self.batches.make(self.batches.gather(block.data, rows), dice, augment=False)
        size = torch.stack(
            [x.abs().nan_to_num(torch.inf).flatten(1).amax(dim=1) for x in
             (batch.features, batch.targets)]
        ).amax(dim=0)  # fmt: skip
        return float(size.max()), int(rows[int(size.argmax())])

    @torch.no_grad()
    def reconstruction_error(self, tables: Iterable[PoseData]) -> float:
        """Of 2d2d and 3d3d: mean distance of joints, always with the same hidden ones."""
        model = self.best_weights.eval()
        terms = parse_loss("mpjpe")
        generator = torch.Generator(self.device).manual_seed(self.recipe.seed)
        sums = []
        for windows in self._windows_to_validate(tables, model):
            n_samples = len(windows.columns["detected"])
            batch = self.batches.make(windows, Dice(generator, n_samples), augment=False)
            predicted = model(batch.features)
            compared = Comparison(
                predicted, batch.targets, batch.mask, batch.confidence, self.batches.skeleton
            )
            sums.append(torch.stack(weigh(terms, compared)))
        if not sums:
            raise DataError(
                "no row to validate on has what this task needs",
                hint="choose other subjects: --set val_subjects=[S1]",
            )
        totals, weights = torch.stack(sums).sum(dim=0)
        return float(divide(totals, weights))

    def _windows_to_validate(
        self, tables: Iterable[PoseData], model: LifterModel
    ) -> Iterator[Windows]:
        for data in tables:
            useful = trainable(data.columns, self.recipe.task, self.batches.skeleton)
            rows = useful.nonzero()[:, 0]
            if model.sequence:
                frames = model.receptive_field
                rows = clip_rows(data, rows, frames, frames, self.spec.fps)
            for some in torch.split(rows, self.recipe.batch_size):
                if len(some):
                    yield self.batches.gather(data, some)
