"""Every embedded lifter is what its card says, and can be made again."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from auglift.config import load_config, models_zoo_folder, recipe_path
from auglift.lifting.checkpoint import load_lifter
from auglift.lifting.spec import VARIANTS
from auglift.lifting.zoo_choice import Given, best_first
from auglift.simulate import SimulateConfig
from auglift.storage.cards import LIFTER, Card, load_cards
from auglift.storage.provenance import lasting_settings
from auglift.storage.zoo import find_file, model_path
from auglift.train import TrainConfig

LIFTERS = [card for card in load_cards().values() if card.kind == LIFTER]
LARGEST_MB = 25.0
DATA_RECIPES = sorted((models_zoo_folder() / "recipes" / "data").glob("*.yaml"))
README = Path(__file__).parents[2] / "README.md"

embedded = pytest.mark.parametrize("card", LIFTERS, ids=lambda card: card.id)


@embedded
def test_the_file_is_the_cards(card: Card) -> None:
    facts = card.lifter
    assert facts is not None
    path = model_path(card)  # which compares the hash
    assert path == find_file(card)
    model, spec = load_lifter(path)
    assert (spec.arch, spec.features.variant, spec.fps) == (facts.arch, facts.variant, facts.fps)
    assert model.receptive_field == facts.frames
    assert sum(p.numel() for p in model.parameters()) == facts.parameters
    assert path.stat().st_size / 1e6 == pytest.approx(facts.size_mb, abs=0.006)
    assert facts.size_mb <= LARGEST_MB
    assert spec.target.metric
    assert card.contract.inputs["features"][-2:] == (17, len(spec.features.channels))


@embedded
def test_its_past_is_told(card: Card) -> None:
    facts = card.lifter
    assert facts is not None
    assert facts.variant in VARIANTS
    assert not card.non_commercial
    assert facts.training_data
    assert f"--checkpoint {card.id}" in card.score
    assert f"auglift train --recipe {card.id}" in facts.retrain
    *simulated, _, _ = (shlex.split(command) for command in facts.retrain.split(" && "))
    for data, words in zip(facts.training_data, simulated, strict=True):
        assert words[:3] == ["auglift", "simulate", "-c"]
        file = models_zoo_folder().parent / words[3]
        assert file in DATA_RECIPES
        assert load_config(SimulateConfig, files=[file], environment={}).dataset == data.dataset


@pytest.mark.parametrize("path", DATA_RECIPES, ids=lambda path: path.stem)
def test_a_recipe_of_data_is_what_its_name_says(path: Path) -> None:
    """It can be read, holds what it held when it was named, and is some lifter's."""
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    digits = hashlib.sha256(text.encode()).hexdigest()[:12]
    assert path.stem == f"{settings['dataset']}-{digits}"
    now = lasting_settings(load_config(SimulateConfig, files=[path], environment={}))
    assert {key: now[key] for key in settings if key != "noise"} | {
        "noise": {key: now["noise"][key] for key in settings["noise"]}
    } == settings
    assert any(card.lifter is not None and path.name in card.lifter.retrain for card in LIFTERS)


@embedded
def test_the_readme_shows_its_score(card: Card) -> None:
    facts = card.lifter
    assert facts is not None
    (row,) = re.findall(
        rf"^\| `{card.id}` \| .*$", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    *_, size, cmu, uiprmd, _ = (cell.strip() for cell in row.split("|"))
    assert float(size) == pytest.approx(facts.size_mb, abs=0.051)
    scores = re.findall(r"P1 ([\d.]+), P2 ([\d.]+) mm on (\w+)", card.score)
    assert [f"{p1}/{p2}" for p1, p2, _ in scores] == [cmu, uiprmd]
    assert [dataset for *_, dataset in scores] == ["cmu", "uiprmd"]


@embedded
def test_its_recipe_trains_it(card: Card) -> None:
    config = load_config(TrainConfig, files=[recipe_path(card.id)], environment={})
    facts = card.lifter
    assert facts is not None
    assert set(config.dataset) == {data.dataset for data in facts.training_data}
    assert config.features.variant == facts.variant


@pytest.mark.skipif(not LIFTERS, reason="no lifter is embedded yet")
@pytest.mark.parametrize("one_frame", [False, True])
def test_there_is_one_for_whatever_there_is(one_frame: bool) -> None:
    """The variant that looks at all of it, of one frame for photos."""
    for given, variant in (
        (Given(True, True, one_frame), "casp"),
        (Given(False, True, one_frame), "xyc"),
        (Given(False, False, one_frame), "xy"),
    ):
        _, facts = best_first(LIFTERS, given)[0]
        assert facts.variant == variant
        assert (facts.frames == 1) == one_frame
