"""What real footage shows, in sentences: who is steadiest, what smoothing does, what depth does.

In: a `Found`. Out: sentences; every one that depends on a number's sign is made of the numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from footage_measures import BEFORE, Found, MeasuredLifter, from_json, of_people


class Measure(NamedTuple):
    """One number of a `Steadiness`, in words; less is better."""

    field: str
    least: str
    name: str
    unit: str


BONES = Measure("bones_percent", "bones vary least", "bones", "%")
SIDES = Measure("sides_percent", "left and right differ least", "left/right", "%")
PICTURE = Measure("picture_percent", "poses lie least off the picture", "fit to the picture",
                  "% of the height")  # fmt: skip
JITTER = Measure("jitter_m_s2", "joints tremble least", "jitter", "m/s²")

MEASURES = (BONES, SIDES, PICTURE, JITTER)

MORE, LESS, UNDECIDED = "worse", "better", "undecided"
EVEN = {
    MORE: "less even",
    LESS: "more even",
    UNDECIDED: "neither more nor less even",
}
WHY = {
    MORE: "The depth network knows no metres and its errors were not modelled in training, which "
    "may be why; this says nothing about depth that errs as modelled.",
    LESS: "That is so although the depth network knows no metres and its errors were not modelled "
    "in training; and even poses need not be right ones.",
    UNDECIDED: "The depth network knows no metres and its errors were not modelled in training; "
    "this speaks neither for nor against depth on real footage.",
}


def summary(kept: Path) -> list[str]:
    """For other pages: two sentences of what `real_footage.py` kept; none if it kept nothing."""
    if not kept.is_file():
        return []
    found = from_json(kept.read_text(encoding="utf-8"))
    people = len({(row.clip, row.person) for row in found.rows})
    even = "; ".join(filter(None, (compared(found, BONES), compared(found, SIDES))))
    of = f"Of {people} people in {len(found.clips)} real clips, whose true joints nobody knows"
    return [*filter(None, [even and f"{of}: before smoothing {even}.", depth(found)])]


def what_it_shows(found: Found) -> list[str]:
    """A sentence for each comparison that the lifters allow."""
    smoothings = dict.fromkeys(row.smoothing for row in found.rows)
    clauses = [compared(found, measure) for measure in MEASURES]
    said = [f"{clause[0].upper()}{clause[1:]}." for clause in clauses if clause]
    said += [smoothed(found, after) for after in smoothings if after != BEFORE]
    return [*filter(None, [*said, depth(found)])]


def compared(found: Found, measure: Measure) -> str:
    """Which lifter has the least of a measure, and how much more the others have, of how many."""
    numbers = of_people(found, measure.field)
    if len(numbers) < 2:
        return ""
    means = _means(numbers)
    best = _least(numbers)
    others = ", ".join(
        f"{name} {mean:.1f} ({mean - means[best]:.1f} more; more for "
        f"{int((numbers[name] > numbers[best]).sum())} of {len(numbers[name])} people)"
        for name, mean in means.items()
        if name != best
    )
    return f"{measure.least} with {best}, {means[best]:.1f} {measure.unit}; {others}"


def smoothed(found: Found, smoothing: str) -> str:
    """What smoothing does to the jitter."""
    numbers = of_people(found, JITTER.field, smoothing)
    before, after = (_means(some) for some in (of_people(found, JITTER.field), numbers))
    if not before or before.keys() != after.keys():
        return ""
    changes = ", ".join(
        f"{before[name]:.1f} to {after[name]:.1f} with {name}{_change(before[name], after[name])}"
        for name in before
    )
    least = f"; {_least(numbers)} then trembles least" if len(numbers) > 1 else ""
    return f"Smoothing ({smoothing}) takes jitter, {JITTER.unit}, from {changes}{least}."


def depth(found: Found) -> str:
    """Whether lifters that look at depth are more or less even than those that do not."""
    seeing = [lifter for lifter in found.lifters if lifter.looks_at_depth]
    blind = [lifter for lifter in found.lifters if not lifter.looks_at_depth]
    sides = {measure: _side(found, measure, seeing, blind) for measure in MEASURES}
    if not all(sides.values()):
        return ""
    even = sides[BONES] if sides[BONES] == sides[SIDES] else UNDECIDED
    each = ", ".join(f"{measure.name} {side}" for measure, side in sides.items())
    verdict = (
        f"Lifters that look at depth ({_names(seeing)}) are {EVEN[even]} here than those that do "
        f"not ({_names(blind)}): {each} (undecided unless the means "
        "of all of them and most people agree)."
    )
    others = [_another(one, blind) for one in seeing if one.network not in _networks(blind)]
    return " ".join([verdict, *others, WHY[even]])


def _side(
    found: Found, measure: Measure, seeing: list[MeasuredLifter], blind: list[MeasuredLifter]
) -> str:
    """Whether all that look at depth have more of a measure than all that do not, or less."""
    numbers = of_people(found, measure.field)
    signs = {_sign(numbers[a.name], numbers[b.name]) for a in seeing for b in blind if numbers}
    if not signs:
        return ""
    return {(1,): MORE, (-1,): LESS}.get(tuple(signs), UNDECIDED)


def _sign(some: np.ndarray, others: np.ndarray) -> int:
    """1 for more, -1 for less, 0 where the mean and most people do not agree."""
    mean, most = np.sign(some.mean() - others.mean()), np.sign(np.sign(some - others).sum())
    return int(mean) if mean == most else 0


def _means(numbers: dict[str, np.ndarray]) -> dict[str, float]:
    # Rounded as they are printed, so that differences agree with what is read.
    return {name: round(float(some.mean()), 1) for name, some in numbers.items()}


def _least(numbers: dict[str, np.ndarray]) -> str:
    return min(numbers, key=lambda name: float(numbers[name].mean()))


def _another(lifter: MeasuredLifter, blind: list[MeasuredLifter]) -> str:
    others = ", ".join(f"{one.name} ({one.network})" for one in blind)
    return (
        f"{lifter.name} ({lifter.network}) is also another network than {others}, so depth is not "
        "their only difference."
    )


def _networks(lifters: list[MeasuredLifter]) -> list[str]:
    return [lifter.network for lifter in lifters]


def _names(lifters: list[MeasuredLifter]) -> str:
    return ", ".join(lifter.name for lifter in lifters)


def _change(before: float, after: float) -> str:
    """Nothing where there was nothing to change."""
    return f" ({100 * (after / before - 1):+.0f} %)".replace("-", "−") if before else ""
