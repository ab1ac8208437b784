"""What of a table counts, and how its rows are grouped."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.errors import DataError
from auglift.geometry.benchmark import make_benchmark
from auglift.geometry.skeleton import H36M_17

TAKES = (("S9", "Greeting", "a"), ("S9", "Greeting", "b"), ("S9", "TakingPhoto", "a"),
         ("S11", "Photo", "a"))  # fmt: skip


def columns(n=3):
    """Three rows of each of four sequences of two cameras."""
    total = n * len(TAKES)
    texts = {
        "sequence": [f"h36m/{s}/{t}/{c}" for s, t, c in TAKES for _ in range(n)],
        "subject": [s for s, _, _ in TAKES for _ in range(n)],
        "action": [t for _, t, _ in TAKES for _ in range(n)],
        "camera_name": [c for _, _, c in TAKES for _ in range(n)],
    }
    return {
        **{name: np.array(values, object) for name, values in texts.items()},
        "frame": np.tile(np.arange(n), len(TAKES)),
        "time_s": np.tile(np.arange(n) / 50, len(TAKES)),
        "pose_3d": np.ones((total, 17, 3)),
        "visible": np.ones((total, 17), bool),
        "detected": np.arange(total) != 4,
    }


def make(dataset="h36m", skip=False, **changes):
    made = columns() | changes
    return make_benchmark(dataset, "test", made, np.arange(0, 13, 3), H36M_17, skip)


def test_groups_and_counts():
    found = make()
    assert found.groups["action"].names == ("Greeting", "Photo")  # one action, two spellings
    assert found.groups["subject"].names == ("S11", "S9")
    assert len(found.groups["take"].names) == found.takes == 3  # two cameras film one take
    assert found.detected == 11
    assert found.truth.counted.sum() == 11 * 17
    assert not found.truth.counted[4].any()


def test_spellings_are_merged_where_that_is_customary_only():
    assert len(make("3dhp").groups["action"].names) == 3


def test_damaged_takes_count_unless_they_are_skipped():
    assert (make().damaged, make().skips_damaged) == (6, False)
    found = make(skip=True)
    assert (found.damaged, found.takes) == (6, 2)
    assert found.truth.counted.any(axis=1).tolist() == [False] * 6 + [True] * 6
    assert make("3dhp", skip=True).damaged == 0


def test_nothing_to_measure_is_an_error():
    empty = {name: values[:0] for name, values in columns().items()}
    with pytest.raises(DataError, match="the table of h36m for 'test' has no rows"):
        make_benchmark("h36m", "test", empty, np.array([0]), H36M_17)
    with pytest.raises(DataError, match="nobody was detected"):
        make(detected=np.zeros(12, bool))
    with pytest.raises(DataError, match="nobody was detected"):
        make(skip=True, detected=np.arange(12) < 6)
