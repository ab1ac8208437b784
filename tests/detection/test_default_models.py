"""The virtual world's networks look at the virtual world alone."""

from __future__ import annotations

import pytest

from auglift.detection.default_models import REAL, VIRTUAL, ModelNames, default_models
from auglift.storage.cards import load_cards


@pytest.mark.parametrize(
    ("datasets", "expected"),
    [(["virtual"], VIRTUAL), (["h36m"], REAL), (["virtual", "h36m"], REAL), ([], REAL)],
)
def test_choice(datasets: list[str], expected: tuple[str, ...]) -> None:
    assert default_models(datasets) == expected


@pytest.mark.parametrize("models", [REAL, VIRTUAL])
def test_they_have_cards_of_their_kinds(models: ModelNames) -> None:
    cards = load_cards()
    assert [cards[name].kind for name in models] == ["person", "pose", "depth"]
