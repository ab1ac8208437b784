"""A shard: one of several equal shares of a list of parts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from auglift.errors import UsageError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """Part `index` (1-based) of `count` equal shares of a list of parts."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageError(
                f"shard {self.index}/{self.count} does not exist",
                hint=f"shards are counted from 1: 1/{self.count} … {self.count}/{self.count}",
            )

    def take(self, parts: Sequence[Item]) -> Sequence[Item]:
        """This shard's contiguous run; over all shards every part comes exactly once, in order."""
        start = (self.index - 1) * len(parts) // self.count
        stop = self.index * len(parts) // self.count
        return parts[start:stop]

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str, environment: Mapping[str, str] | None = None) -> Shard:
    """`3/20`, or `auto/20` in a Slurm array job `--array=1-20` (the task's own number)."""
    index, slash, count = text.partition("/")
    if index == "auto":
        index = _array_task(os.environ if environment is None else environment)
    try:
        if not slash:
            raise ValueError
        return Shard(int(index), int(count))
    except ValueError as error:
        raise UsageError(
            f"'{text}' is not a shard", hint="write --shard 3/20 (the third of twenty) or auto/20"
        ) from error


def _array_task(environment: Mapping[str, str]) -> str:
    task = environment.get("SLURM_ARRAY_TASK_ID")
    if task is None:
        raise UsageError(
            "--shard auto/… reads SLURM_ARRAY_TASK_ID, which is not set",
            hint="submit with sbatch --array=1-20, or write the shard: --shard 3/20",
        )
    return task
