"""`--slurm partition=gpu,gres=gpu:1,time=08:00:00,cpus=12`: what a batch job asks for.

Keys are the long options of `sbatch`, and `cpus` for `cpus-per-task`. What auglift says itself
(array, output, requeue, signal …) is none of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from auglift.errors import UsageError, unknown_name

SHORT = {"cpus": "cpus-per-task"}

FLAGS = ("contiguous", "exclusive", "oversubscribe")
"""Options that need no value."""

KNOWN = (
    "account", "acctg-freq", "begin", "clusters", "comment", "constraint", "core-spec",
    "cores-per-socket", "cpu-freq", "cpus-per-gpu", "cpus-per-task", "deadline", "delay-boot",
    "dependency", "exclude", "gpu-bind", "gpu-freq", "gpus", "gpus-per-node", "gpus-per-task",
    "gres", "gres-flags", "hint", "licenses", "mail-type", "mail-user", "mem", "mem-bind",
    "mem-per-cpu", "mem-per-gpu", "mincpus", "network", "nice", "nodelist", "partition", "power",
    "prefer", "priority", "profile", "qos", "reservation", "sockets-per-node", "switches",
    "thread-spec", "threads-per-core", "time", "time-min", "tmp", "wckey", *FLAGS,
)  # fmt: skip

EXAMPLE = "write --slurm partition=gpu,gres=gpu:1,time=08:00:00,cpus=12"


def parse_slurm(texts: Sequence[str]) -> dict[str, str | bool]:
    """Options by their long names; a value may hold commas, as in gres=gpu:1,nvme:2."""
    options: dict[str, str | bool] = {}
    for text in texts:
        key = ""
        for piece in text.split(","):
            word, equals, value = (side.strip() for side in piece.partition("="))
            if equals:
                key = _known(word)
                options[key] = _value(key, value)
            elif word in FLAGS:
                key, options[word] = "", True
            elif key and word:
                options[key] = f"{options[key]},{word}"
            else:
                raise UsageError(f"'{piece.strip()}' in --slurm {text} has no value", hint=EXAMPLE)
    return options


def _known(word: str) -> str:
    key = SHORT.get(word, word).replace("_", "-")
    if key not in KNOWN:
        raise unknown_name("Slurm option", word, (*KNOWN, *SHORT))
    return key


def _value(key: str, value: str) -> str:
    if not value or any(sign.isspace() and sign != " " for sign in value):
        raise UsageError(f"{key} in --slurm has no value", hint=EXAMPLE)
    if key == "cpus-per-task" and (not value.isdigit() or value == "0"):
        raise UsageError(f"cpus in --slurm is a number, not '{value}'", hint=EXAMPLE)
    return value
