"""Several processes that learn one model together, started by `torchrun`.

Each takes its share of every batch, so that the batch size stays the global one; sums over the
shares are made exact before anything is divided (`losses.py`). Alone, all of this does nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class World:
    """Which of how many processes this is."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process validates, writes and speaks."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """This process's part of a batch."""
        return rows[self.rank :: self.size]

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.size == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total

    def from_leader(self, value: T | None) -> T:
        """What the leading process has; the others wait for it."""
        if self.size == 1:
            return cast(T, value)
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return cast(T, box[0])

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """The network, whose gradients become means over all processes."""
        if self.size == 1:
            return network
        has_batch_norm = any(
            isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules()
        )
        if has_batch_norm and device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        elif has_batch_norm:
            logger.warning("on %s, batch norm sees each process's share by itself", device.type)
        return DistributedDataParallel(network, [device] if device.type == "cuda" else None)


@contextmanager
def joined(
    device: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[World, str]]:
    """Join the processes that torchrun started; this one's place, and its device.

    Without torchrun there is one process, and the device stays.
    """
    found = os.environ if environment is None else environment
    size = int(found.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(), device
        return
    if device == "cuda":
        device = f"cuda:{found.get('LOCAL_RANK', '0')}"
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield World(dist.get_rank(), size), device
    finally:
        dist.destroy_process_group()
