"""From a finished run to an embedded lifter: weights, card, recipe."""

from __future__ import annotations

import importlib
import shlex
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from auglift.config import as_yaml, load_config, models_zoo_folder
from auglift.errors import DataError, UsageError
from auglift.evaluate import EvaluateConfig, evaluate
from auglift.lifting.checkpoint import load_lifter, save_lifter
from auglift.lifting.recipe import AugmentConfig
from auglift.simulate import SimulateConfig, simulate
from auglift.storage.cards import read_card
from auglift.storage.fetch import file_sha256
from auglift.storage.workspace import Workspace
from auglift.train import TrainConfig, train

RUN, NAME = "a-run", "lift-tiny"
SETTINGS = TrainConfig(
    name=RUN,
    arch="tcn",
    frames=3,
    model={"channels": 8},
    epochs=1,
    lr=2e-3,
    augment=AugmentConfig(flip=False),
    curves=False,
    device="cpu",
)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(models_zoo_folder()))
    return importlib.import_module("make_lifter")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with simulated tables and a run."""
    folder = tmp_path_factory.mktemp("workspace")
    torch.set_num_threads(1)
    simulate(
        SimulateConfig(root=folder, actions=("walk",), seconds=1.0, views=1, rows=120, workers=1)
    )
    train(replace(SETTINGS, root=folder))
    return folder


def test_weights_card_and_recipe(script: ModuleType, root: Path, tmp_path: Path) -> None:
    (score,) = script.make_lifter(RUN, NAME, root, tmp_path)
    card = read_card(tmp_path / f"{NAME}.yaml")
    weights = tmp_path / card.file
    assert card.sha256 == file_sha256(weights)
    model, spec = load_lifter(weights)
    facts = card.lifter
    assert facts is not None
    assert (facts.variant, facts.frames, facts.fps) == ("casp", model.receptive_field, spec.fps)
    assert [data.dataset for data in facts.training_data] == ["virtual"]
    before = Workspace(root).run(RUN).best_model
    found = evaluate(
        EvaluateConfig(root=root, checkpoint=(str(before), str(weights)), resamples=1, device="cpu")
    )
    p1_before, p1 = (cell.result("p1").overall for cell in found.cells)
    assert (score.p1_before_mm, score.p1_mm) == (p1_before, p1)
    assert card.score.startswith(f"P1 {p1:.1f}, P2 {score.p2_mm:.1f} mm on virtual's test subjects")
    assert f"{p1_before:.3f} → {p1:.3f} mm" in card.notes


def test_the_same_run_gives_the_same_bytes(script: ModuleType, root: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        script.make_lifter(RUN, NAME, root, tmp_path / folder)
    one, two = (
        {p.relative_to(tmp_path / f): p.read_bytes() for p in (tmp_path / f).rglob("*.*")}
        for f in ("one", "two")
    )
    assert len(one) == 3
    assert one == two


def test_the_recipe_is_the_whole_run_and_the_command_makes_its_table(
    script: ModuleType, root: Path, tmp_path: Path
) -> None:
    script.make_lifter(RUN, NAME, root, tmp_path)
    recipe = load_config(TrainConfig, files=[tmp_path / "recipes" / f"{NAME}.yaml"], environment={})
    assert replace(recipe, name=RUN, curves=False, device="cpu") == replace(
        SETTINGS, dataset=("virtual",)
    )
    facts = read_card(tmp_path / f"{NAME}.yaml").lifter
    assert facts is not None
    first, second, third = facts.retrain.split(" && ")
    words = shlex.split(first)
    assert words[:4] == ["auglift", "simulate", "--dataset", "virtual"]
    again = load_config(SimulateConfig, sets=words[5::2], environment={})
    assert set(words[4::2]) == {"--set"}
    assert again == SimulateConfig(actions=("walk",), seconds=1.0, views=1, rows=120)
    assert second == f"auglift train --recipe {NAME} --set name={RUN}"
    assert third == f"python models_zoo/make_lifter.py {RUN} --name {NAME}"


def test_too_dear_a_float16_writes_nothing(
    script: ModuleType, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(path: Path, model: torch.nn.Module, spec: object, half: bool) -> None:
        with torch.no_grad():
            model.shrink.bias[:24].add_(5.0)  # not of all joints: the root would go along
        save_lifter(path, model, spec, half=half)

    monkeypatch.setattr(script, "save_lifter", spoilt)
    with pytest.raises(DataError, match=r"float16 costs .* mm of P1 on virtual"):
        script.make_lifter(RUN, NAME, root, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"debug": True}, "only tried out"),
        ({"depth": "shuffled"}, "a control experiment"),
        ({"init_from": "another"}, "no one command makes it again"),
    ],
)
def test_what_is_not_for_the_zoo(
    script: ModuleType, root: Path, tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    config_file = Workspace(root).run(RUN).config
    before = config_file.read_text()
    config = load_config(TrainConfig, files=[config_file], environment={})
    config_file.write_text(as_yaml(replace(config, **changes)))
    try:
        with pytest.raises(UsageError, match=reason):
            script.make_lifter(RUN, NAME, root, tmp_path)
    finally:
        config_file.write_text(before)


def test_motion_of_unknown_licence_is_refused(script: ModuleType) -> None:
    lifter_card = importlib.import_module("lifter_card")
    for name in ("cmu", "cmu-wide", "cmu_wide"):
        assert lifter_card.source_of(name) is lifter_card.SOURCES["cmu"]
    with pytest.raises(UsageError, match="under which licence the motion of 'h36m' is"):
        lifter_card.source_of("h36m")
