"""Several processes that learn one model together, started by `torchrun`.

Each takes its share of every batch, so that the batch size stays the global one; sums over the
shares are made exact before anything is divided (`losses.py`). Alone, all of this does nothing.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from auglift.errors import AugliftError

T = TypeVar("T")

# The others wait while one validates, which takes longer than the ten minutes that NCCL allows.
LONGEST_WAIT = timedelta(hours=6)

_FAILED = "auglift/failed/{}"
# What gloo and NCCL say of a process that has gone.
_LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo", "NCCL")

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

    def share(self, rows: Tensor, n_before: int = 0) -> Tensor:
        """This process's rows of a batch, or of a part of it with `n_before` rows before it."""
        return rows[(self.rank - n_before) % self.size :: self.size]

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
        # They differ where a dimension has one element (of kernels of one frame): a false alarm.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        return DistributedDataParallel(network, [device] if device.type == "cuda" else None)


@contextmanager
def joined(
    device: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[World, str]]:
    """Join the processes that torchrun started; this one's place, and its device.

    Without torchrun there is one process, and the device stays. Where one process fails, its
    traceback is in the log, and the others, which torchrun ends, say which one it was.
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
    backend = "nccl" if device.startswith("cuda") else "gloo"
    dist.init_process_group(backend, timeout=LONGEST_WAIT)
    world = World(dist.get_rank(), size)
    try:
        yield world, device
    except BaseException as error:
        # The group is left as it is: to end it would wait for those who are gone.
        _tell_of_failure(error, world)
        raise
    dist.destroy_process_group()


def _tell_of_failure(error: BaseException, world: World) -> None:
    """Let the others know of it; if another was first, say so instead."""
    store = dist.distributed_c10d._get_default_store()
    if not _is_of_another(error):
        store.set(_FAILED.format(world.rank), "")
        logger.error("rank %d of %d failed", world.rank, world.size, exc_info=error)
        return
    others = [rank for rank in range(world.size) if rank != world.rank]
    failed = [rank for rank in others if store.check([_FAILED.format(rank)])]
    if not failed and not isinstance(error, Exception):
        return  # all were stopped alike
    names = " and ".join(f"rank {rank}" for rank in failed or others)
    if failed:
        why = f"{names} failed; the message there says why"
    else:
        why = f"{names} was killed or lost the connection"
        if len(others) > 1:
            why = "another was killed or lost the connection; torchrun's report says which"
    # torchrun ends this process in a moment, perhaps before the error is shown.
    logger.error("rank %d of %d ends: %s", world.rank, world.size, why)
    raise AugliftError(
        f"rank {world.rank} of {world.size} was ended by another",
        hint="mend what ended that one; the same command goes on from the last state",
    ) from None


def _is_of_another(error: BaseException) -> bool:
    """Whether it comes of the end of another process: torchrun's signal, or a lost connection."""
    if not isinstance(error, Exception):  # SIGTERM and Ctrl-C are none
        return True
    if isinstance(error, dist.DistError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _LOST)
