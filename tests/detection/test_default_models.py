"""The virtual world's networks look at the virtual world alone."""

from __future__ import annotations

import pytest

from auglift.detection.default_models import (
    MODES,
    REAL,
    VIRTUAL,
    ModelNames,
    default_models,
    mode_for,
)
from auglift.errors import UsageError
from auglift.storage.cards import load_cards


@pytest.mark.parametrize(
    ("datasets", "expected"),
    [(["virtual"], VIRTUAL), (["h36m"], REAL), (["virtual", "h36m"], REAL), ([], REAL)],
)
def test_choice(datasets: list[str], expected: tuple[str, ...]) -> None:
    assert default_models(datasets) == expected


@pytest.mark.parametrize("models", [VIRTUAL, *(mode.models for mode in MODES.values())])
def test_they_have_cards_of_their_kinds(models: ModelNames) -> None:
    cards = load_cards()
    assert [cards[name].kind for name in models] == ["person", "pose", "depth"]


def test_modes_are_for_other_worlds_than_the_virtual_one() -> None:
    assert mode_for(["h36m"]).models == REAL
    assert mode_for(["h36m"], "lightweight").models.pose == "rtmpose-t"
    assert mode_for(["virtual"], "paper") == mode_for(["virtual"])
    with pytest.raises(UsageError, match="unknown mode 'fast'"):
        mode_for(["h36m"], "fast")


def test_the_papers_mode_is_what_the_paper_ran() -> None:
    paper = mode_for(["3dpw"], "paper")
    assert paper.models == ("rtmdet-m", "rtmpose-l-384x288", "depth-anything-v2-large-indoor")
    assert paper.options == {"poses2d": {"flip_test": True}}


def test_only_the_papers_mode_asks_for_non_commercial_weights() -> None:
    cards = load_cards()
    limited = {
        name for name, mode in MODES.items() if any(cards[m].non_commercial for m in mode.models)
    }
    assert limited == {"paper"}


def test_what_is_named_goes_before_the_mode() -> None:
    paper = mode_for(["h36m"], "paper")
    named = paper.with_models(pose="mine.onnx").with_options("poses2d", confidence_rule="mean")
    assert named.models == paper.models._replace(pose="mine.onnx")
    assert named.options == {"poses2d": {"flip_test": True, "confidence_rule": "mean"}}
    quick = paper.with_options("poses2d", confidence_rule=None, flip_test=False)
    assert quick.options == {"poses2d": {"flip_test": False}}
    assert paper.options == {"poses2d": {"flip_test": True}}
