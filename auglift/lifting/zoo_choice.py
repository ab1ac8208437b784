"""Which of the zoo's lifters, by their cards alone: the best for what there is to lift.

In: cards, and what is `Given`. Out: the cards of lifters that can be used, the best first.

What decides, in this order: the variant that makes the most of what there is (`RICHEST_FIRST`); for
a single frame a lifter that sees a single frame, for a clip one that sees several; the lowest P1 on
held-out training subjects, which the card says. No test has a say in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from auglift.lifting.spec import FeatureConfig
from auglift.storage.cards import Card, LifterFacts

RICHEST_FIRST = ("casp", "xycd", "xyd", "xyc", "xy")
"""Variants; those that are not named come last."""


class Given(NamedTuple):
    """What there is to lift."""

    has_depth: bool
    has_confidence: bool = True
    one_frame: bool = False
    """A photo, not a clip."""
    has_features: bool = False
    """What networks know of each joint."""


def best_first(cards: Iterable[Card], given: Given) -> list[tuple[Card, LifterFacts]]:
    """Those that can be used, with what their cards say of lifters."""
    lifters = [(card, card.lifter) for card in cards if card.lifter is not None]
    usable = [(card, facts) for card, facts in lifters if _suits(facts, given)]
    return sorted(usable, key=lambda one: (_order(one[1], given), one[0].id))


def describe(facts: LifterFacts) -> str:
    """What speaks for a lifter, in words."""
    names = ("2D joints", "depth", "confidence")
    looks_at = [name for name, is_used in zip(names, (True, *_uses(facts)), strict=True) if is_used]
    frames = "one frame" if facts.frames == 1 else f"{facts.frames} frames at {facts.fps:g} Hz"
    p1 = f"P1 {facts.validation_p1_mm:.1f} mm in validation"
    return f"it looks at {', '.join(looks_at)} of {frames}; {p1}"


def _uses(facts: LifterFacts) -> tuple[bool, bool]:
    """Whether it looks at depth, and at confidences."""
    features = FeatureConfig(variant=facts.variant)
    return features.uses_depth, "confidence" in features.plain_channels


def _suits(facts: LifterFacts, given: Given) -> bool:
    uses_depth, uses_confidence = _uses(facts)
    return (given.has_depth or not uses_depth) and (given.has_confidence or not uses_confidence)


def _order(facts: LifterFacts, given: Given) -> tuple[int, bool, float]:
    """Lower is better."""
    variants = (*RICHEST_FIRST, facts.variant)
    is_other_kind = (facts.frames == 1) != given.one_frame
    return variants.index(facts.variant), is_other_kind, facts.validation_p1_mm
