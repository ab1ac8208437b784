"""Words for changes: with their intervals, as verdicts, beside the paper's and the aims."""

from __future__ import annotations

from formats import signed
from gains import Change

AIMS = {"matched": (15.0, 15.0), "unseen": (8.0, 12.0)}
"""Least gains in P1 and P2, per cent, that were aimed at before anything was trained."""


def with_interval(found: Change, unit: str = "%") -> str:
    """`−12.3 % (−15.0 … −9.9; seeds −13.0 … −11.8)`"""
    low, high = found.interval
    said = f"{signed(low)} … {signed(high)}"
    if len(found.by_seed) > 1:
        said += f"; seeds {signed(min(found.by_seed))} … {signed(max(found.by_seed))}"
    return f"{signed(found.value)} {unit} ({said})"


def verdict(found: Change) -> str:
    """Of a change of the error."""
    if not found.sure:
        return "no sure change"
    return "a gain" if found.value < 0 else "a loss"


def against(found: Change, paper: float) -> str:
    """Whether a change agrees with the paper's number."""
    low, high = found.interval
    if low <= paper <= high:
        return "agrees with it: the paper's number lies within the interval"
    if not found.sure:
        return "does not show it: the interval holds 0 and not the paper's number"
    if (found.value < 0) != (paper < 0):
        return "contradicts it: the sign is the other one"
    larger = abs(found.value) > abs(paper)
    return f"agrees in sign and is {'larger' if larger else 'smaller'}"


def aimed(what: str, p1: Change, p2: Change, aims: tuple[float, float]) -> str:
    """Whether gains in P1 and P2 are as large as was aimed at."""
    met = [-found.value >= aim for found, aim in zip((p1, p2), aims, strict=True)]
    said = {True: "met", False: "missed"}
    return (
        f"Aim for {what}: at least {aims[0]:.0f} % in P1 ({said[met[0]]}, {with_interval(p1)}) and "
        f"{aims[1]:.0f} % in P2 ({said[met[1]]}, {with_interval(p2)})."
    )
