"""Shards cover the work exactly once, however they are named."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.errors import UsageError
from auglift.executors import Shard, parse_shard


@settings(deadline=None, max_examples=50)
@given(n_parts=st.integers(0, 200), count=st.integers(1, 40))
def test_shards_cover_the_parts_once_in_order_and_evenly(n_parts: int, count: int) -> None:
    parts = list(range(n_parts))
    shares = [Shard(i, count).take(parts) for i in range(1, count + 1)]
    assert [part for share in shares for part in share] == parts
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_parse_shard() -> None:
    assert parse_shard("3/20") == Shard(3, 20)
    assert str(Shard(3, 20)) == "3/20"


def test_the_count_is_that_of_the_whole_however_few_tasks_an_array_has() -> None:
    alone = {
        "SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "2",
        "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_MAX": "7",
    }  # fmt: skip
    assert parse_shard("auto/20", alone) == Shard(7, 20)
    with pytest.raises(UsageError, match="0/20") as caught:  # sbatch --array=0-19
        parse_shard("auto/20", {"SLURM_ARRAY_TASK_ID": "0"})
    assert "counted from 1" in str(caught.value)


@pytest.mark.parametrize("text", ["0/20", "21/20", "3", "3/", "a/b", "3/20/1", "-1/3", ""])
def test_wrong_shards_say_how_to_write_them(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_shard(text)
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_auto_outside_an_array_job() -> None:
    with pytest.raises(UsageError, match="SLURM_ARRAY_TASK_ID"):
        parse_shard("auto/20", {})
