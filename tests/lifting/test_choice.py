"""Which lifter is taken: the one that is named, the newest run that fits, the zoo's best."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auglift.errors import MissingDataError, ModelError, UsageError
from auglift.lifting.choice import find_lifter, open_lifter
from auglift.lifting.lifter import Lifter
from auglift.storage.workspace import Workspace

Zoo = Callable[..., Path]

SMALL = {
    "clip-casp": ("casp", 27, 45.0),
    "clip-xyc": ("xyc", 27, 58.0),
    "clip-xy": ("xy", 27, 60.0),
    "photo-casp": ("casp", 1, 57.0),
    "photo-xyc": ("xyc", 1, 74.0),
    "photo-xy": ("xy", 1, 76.0),
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "empty")


def make_run(workspace: Workspace, name: str, weights: Path) -> Path:
    """A run with these weights, newer than those that are there."""
    run = workspace.run(name)
    run.path.mkdir(parents=True)
    shutil.copy(weights, run.best_model)
    time_ns = 10**18 + len(workspace.runs())
    os.utime(run.best_model, ns=(time_ns, time_ns))
    return run.best_model


@pytest.mark.parametrize("one_frame", [False, True])
@pytest.mark.parametrize(
    ("has_depth", "has_confidence", "variant"),
    [(True, True, "casp"), (False, True, "xyc"), (False, False, "xy"), (True, False, "xy")],
)
def test_the_zoo_has_one_for_what_there_is(
    lifter_zoo: Zoo,
    workspace: Workspace,
    has_depth: bool,
    has_confidence: bool,
    variant: str,
    one_frame: bool,
) -> None:
    lifter_zoo(SMALL)
    opened = open_lifter(
        workspace, None, has_depth=has_depth, has_confidence=has_confidence, one_frame=one_frame
    )
    assert opened.name == f"{'photo' if one_frame else 'clip'}-{variant}"
    assert opened.lifter.spec.features.variant == variant
    assert opened.lifter.model.receptive_field == (1 if one_frame else 27)


def test_variants_have_an_order_of_their_own(lifter_zoo: Zoo, workspace: Workspace) -> None:
    """Differences as small as those of casp and xycd are no reason to take another every time."""
    lifter_zoo({**SMALL, "clip-xycd": ("xycd", 27, 44.5), "clip-stats": ("stats", 27, 40.0)})
    assert open_lifter(workspace, None, has_depth=True).name == "clip-casp"


@pytest.mark.parametrize(("p1_mm", "best"), [(41.0, "base-casp"), (47.0, "clip-casp")])
def test_the_larger_one_is_taken_where_it_validates_better(
    lifter_zoo: Zoo, workspace: Workspace, p1_mm: float, best: str
) -> None:
    lifter_zoo({**SMALL, "base-casp": ("casp", 81, p1_mm)})
    assert open_lifter(workspace, None, has_depth=True).name == best


def test_a_photo_is_lifted_by_one_for_clips_where_there_is_no_other(
    lifter_zoo: Zoo, workspace: Workspace
) -> None:
    lifter_zoo({"clip-xyc": ("xyc", 27, 58.0), "photo-xy": ("xy", 1, 76.0)})
    given: dict[str, Any] = {"has_depth": False, "one_frame": True}
    assert open_lifter(workspace, None, **given).name == "clip-xyc"
    assert open_lifter(workspace, None, **given, has_confidence=False).name == "photo-xy"


def test_what_is_taken_is_said_with_the_reason(
    lifter_zoo: Zoo, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    lifter_zoo(SMALL)
    with caplog.at_level(logging.INFO):
        open_lifter(workspace, None, has_depth=True)
    assert caplog.messages == [
        "lifter clip-casp: of the zoo, as there is no run here; it looks at 2D joints, depth, "
        "confidence of 27 frames at 25 Hz; P1 45.0 mm in validation"
    ]


def test_runs_come_first_and_the_newest_of_them(
    lifter_zoo: Zoo, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    zoo = lifter_zoo(SMALL)
    make_run(workspace, "mine", zoo / "lifters" / "clip-xy.safetensors")
    make_run(workspace, "mine-too", zoo / "lifters" / "clip-casp.safetensors")
    with caplog.at_level(logging.INFO):
        names = [open_lifter(workspace, None, has_depth=d).name for d in (True, False)]
    assert names == ["mine-too/best_model.safetensors", "mine/best_model.safetensors"]
    assert caplog.messages[0].endswith("the newest run")
    assert caplog.messages[-1].endswith("the newest run that fits")


def test_the_zoo_helps_where_no_run_fits(
    lifter_zoo: Zoo, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    zoo = lifter_zoo(SMALL)
    make_run(workspace, "casp", zoo / "lifters" / "clip-casp.safetensors")
    with caplog.at_level(logging.INFO):
        assert open_lifter(workspace, None, has_depth=False).name == "clip-xyc"
    assert "passed over: it was trained with depth (casp)" in caplog.messages[0]
    assert "of the zoo, as no run fits" in caplog.messages[1]


def test_an_altered_file_is_passed_over(
    lifter_zoo: Zoo, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    zoo = lifter_zoo(SMALL)
    file = zoo / "lifters" / "clip-xyc.safetensors"
    shutil.copy(zoo / "lifters" / "photo-xyc.safetensors", file)
    assert open_lifter(workspace, None, has_depth=False).name == "photo-xyc"
    assert "this file is not the model 'clip-xyc'" in caplog.text
    with pytest.raises(ModelError, match="not the model 'clip-xyc'"):
        open_lifter(workspace, "clip-xyc", has_depth=False)


def test_a_lifter_that_is_not_on_this_machine_is_no_choice(
    lifter_zoo: Zoo, workspace: Workspace, tmp_path: Path
) -> None:
    zoo = lifter_zoo({"clip-xyc": ("xyc", 27, 58.0), "clip-xy": ("xy", 27, 60.0)})
    mine = tmp_path / "mine"
    shutil.move(zoo / "lifters", mine / "lifters")
    with pytest.raises(MissingDataError, match="no run with weights"):
        open_lifter(workspace, None, has_depth=False)
    assert open_lifter(workspace, None, has_depth=False, model_dir=mine).name == "clip-xyc"


def test_one_of_the_zoo_by_name(lifter_zoo: Zoo, workspace: Workspace) -> None:
    zoo = lifter_zoo(SMALL)
    opened = open_lifter(workspace, "photo-xy", has_depth=True)
    assert (opened.name, opened.path) == ("photo-xy", zoo / "lifters" / "photo-xy.safetensors")
    with pytest.raises(UsageError, match="clip-casp was trained with depth") as caught:
        open_lifter(workspace, "clip-casp", has_depth=False)
    assert caught.value.hint == "--checkpoint clip-xyc"


def test_from_python_without_a_name(lifter_zoo: Zoo, tmp_path: Path) -> None:
    lifter_zoo(SMALL)
    given: dict[str, Any] = {"root": tmp_path / "empty", "device": "cpu"}
    for choice, variant in (
        ({}, "xyc"),
        ({"has_depth": True}, "casp"),
        ({"has_confidence": False}, "xy"),
    ):
        lifter = Lifter.from_zoo(**given, **choice)
        assert (lifter.spec.features.variant, lifter.model.receptive_field) == (variant, 27)
    assert Lifter.from_zoo(**given, one_frame=True).model.receptive_field == 1
    assert Lifter.from_zoo("clip-xy", **given).spec.features.variant == "xy"


def test_a_run_of_the_same_name_is_meant(lifter_zoo: Zoo, workspace: Workspace) -> None:
    zoo = lifter_zoo(SMALL)
    weights = make_run(workspace, "clip-casp", zoo / "lifters" / "clip-xy.safetensors")
    assert find_lifter(workspace, "clip-casp") == weights
    opened = open_lifter(workspace, "clip-casp", has_depth=False)
    assert opened.name == "clip-casp/best_model.safetensors"


def test_an_unknown_name_lists_runs_and_lifters(lifter_zoo: Zoo, workspace: Workspace) -> None:
    zoo = lifter_zoo({"clip-casp": SMALL["clip-casp"], "clip-xy": SMALL["clip-xy"]})
    make_run(workspace, "mine", zoo / "lifters" / "clip-xy.safetensors")
    with pytest.raises(MissingDataError) as caught:
        find_lifter(workspace, "clip-cast")
    assert caught.value.what == (
        "no run 'clip-cast' with weights; there are: mine; lifters of the zoo: clip-casp, clip-xy"
    )
