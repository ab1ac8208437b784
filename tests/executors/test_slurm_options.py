"""What users write behind --slurm."""

from __future__ import annotations

import pytest

from auglift.errors import UsageError
from auglift.executors.slurm_options import parse_slurm


def test_options_by_their_long_names() -> None:
    assert parse_slurm(["partition=gpu,gres=gpu:1,time=08:00:00,cpus=12"]) == {
        "partition": "gpu",
        "gres": "gpu:1",
        "time": "08:00:00",
        "cpus-per-task": "12",
    }
    assert parse_slurm(["mem_per_cpu=4G", "exclusive"]) == {"mem-per-cpu": "4G", "exclusive": True}
    assert parse_slurm([]) == {}


def test_values_may_hold_commas_and_equals_signs_and_the_last_one_counts() -> None:
    assert parse_slurm(["gres=gpu:1,nvme:2,exclusive,nodelist=n1,n2"]) == {
        "gres": "gpu:1,nvme:2",
        "exclusive": True,
        "nodelist": "n1,n2",
    }
    assert parse_slurm(["comment=a=b", "comment=c=d"]) == {"comment": "c=d"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("gpu", "'gpu' in --slurm gpu has no value"),
        ("partition=", "partition in --slurm has no value"),
        ("partition=gpu,,time=1", "has no value"),
        ("exclusive,n1", "'n1' in --slurm"),
        ("partion=gpu", "unknown Slurm option 'partion'"),
        ("array=1-20", "unknown Slurm option 'array'"),
        ("cpus=many", "cpus in --slurm is a number, not 'many'"),
        ("cpus=0", "cpus in --slurm is a number, not '0'"),
        ("comment=a\n#SBATCH --array=1", "has no value"),
    ],
)
def test_what_cannot_be_meant(text: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        parse_slurm([text])
    assert caught.value.hint


def test_a_near_miss_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        parse_slurm(["partion=gpu"])
    assert "did you mean 'partition'" in str(caught.value)
