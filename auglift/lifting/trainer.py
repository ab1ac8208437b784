"""One model learning from one `PoseData`: epochs, their exact resumption, and their loss.

Every epoch seeds itself from (seed, epoch), so that a run resumed at an epoch's end sees the same
batches and the same dropout as one that was never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from auglift.errors import AugliftError, unknown_name
from auglift.executors import Advance
from auglift.geometry.skeleton import Skeleton, get_skeleton
from auglift.lifting.data import PoseData, window_offsets
from auglift.lifting.features import (
    flip,
    keypoint_box,
    make_features,
    make_targets,
    normalised_keypoints,
    seen_joints,
)
from auglift.lifting.losses import LOSSES
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.spec import LifterSpec


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to learn: what `TrainConfig` says about optimisation."""

    epochs: int
    batch_size: int
    lr: float
    lr_decay: float
    weight_decay: float
    loss: str
    flip: bool
    seed: int


class Trainer:
    """Holds model, optimiser and epoch counter; `run_epoch` learns from every row once."""

    def __init__(
        self, model: LifterModel, spec: LifterSpec, data: PoseData, recipe: Recipe, device: str
    ) -> None:
        if recipe.loss not in LOSSES:
            raise unknown_name("loss", recipe.loss, LOSSES)
        self.model = model.to(device)
        self.spec, self.data, self.recipe, self.device = spec, data, recipe, device
        self.skeleton: Skeleton = get_skeleton(spec.skeleton)
        self.loss = LOSSES[recipe.loss]
        self.offsets = window_offsets(model.receptive_field, model.causal).to(device)
        self.optimiser = torch.optim.AdamW(
            model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
        )
        self.schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimiser, recipe.lr_decay)
        self.rows = trainable_rows(data)
        self.epoch = 0

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return math.ceil(len(self.rows) / self.recipe.batch_size)

    def run_epoch(self, advance: Advance) -> float:
        """Learn from every row once; the mean loss."""
        self.model.train()
        losses = []
        for rows, mirrored in self._batches():
            losses.append(self._step(rows, mirrored))
            advance()
        self.schedule.step()
        self.epoch += 1
        mean = torch.stack(losses).mean().item()
        if not math.isfinite(mean):
            raise AugliftError(
                f"the loss became {mean} in epoch {self.epoch}",
                hint="lower the learning rate: --set lr=1e-4; or look for bad rows in the table",
            )
        return mean

    def state(self) -> dict[str, Any]:
        """What `load_state` needs to go on from here."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.epoch = state["epoch"]
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])

    def _batches(self) -> Iterator[tuple[Tensor, bool]]:
        """Shuffled row numbers; every batch is mirrored as a whole, or not at all."""
        seed = self.recipe.seed * 1_000_003 + self.epoch
        torch.manual_seed(seed)  # dropout
        generator = torch.Generator().manual_seed(seed)
        order = self.rows[torch.randperm(len(self.rows), generator=generator).to(self.device)]
        mirrored = torch.rand(self.steps_per_epoch, generator=generator) < 0.5
        for rows, coin in zip(torch.split(order, self.recipe.batch_size), mirrored, strict=True):
            yield rows, self.recipe.flip and bool(coin)

    def _step(self, rows: Tensor, mirrored: bool) -> Tensor:
        columns = self.data.windows(rows, self.offsets, self.spec.fps)
        if mirrored:
            columns = flip(columns, self.skeleton)
        spec = self.spec
        features = make_features(columns, spec.features, self.skeleton, spec.mean_box_size)
        centre = -1 if self.model.causal else len(self.offsets) // 2
        targets = make_targets(columns["pose_3d"][:, centre], self.skeleton)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss(self.model(features)[:, 0], targets)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.detach()


def trainable_rows(data: PoseData) -> Tensor:
    """Rows with a detection and a finite truth; the others serve as context only."""
    truth = data.columns["pose_3d"].isfinite().all(dim=-1).all(dim=-1)
    rows = (data.columns["detected"] & truth).nonzero()[:, 0]
    if len(rows) == 0:
        raise AugliftError(
            "no row has both a detection and a 3D pose: there is nothing to learn from",
            hint="look at the summary of auglift merge",
        )
    return rows


def mean_box_size(data: PoseData) -> float:
    """Mean size of the keypoint boxes, in width-normalised units."""
    rows = trainable_rows(data)
    columns = {name: data.columns[name][rows] for name in ("joints_2d", "detected", "image_wh")}
    _, size = keypoint_box(normalised_keypoints(columns), seen_joints(columns))
    return float(size.mean())
