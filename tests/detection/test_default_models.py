"""The virtual world's networks look at the virtual world alone."""

from __future__ import annotations

import pytest

from auglift.detection.default_models import REAL, VIRTUAL, default_models
from auglift.storage.cards import load_cards


@pytest.mark.parametrize(
    ("datasets", "expected"),
    [(["virtual"], VIRTUAL), (["h36m"], REAL), (["virtual", "h36m"], REAL), ([], REAL)],
)
def test_choice(datasets: list[str], expected: tuple[str, ...]) -> None:
    assert default_models(datasets) == expected


def test_the_real_ones_have_cards_of_their_kinds() -> None:
    cards = load_cards()
    assert [cards[name].kind for name in REAL] == ["person", "pose", "depth"]
