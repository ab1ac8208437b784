"""The committed networks are what the script makes and what their cards say."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from auglift.config import models_zoo_folder
from auglift.detection.zoo_detector import open_detector
from auglift.storage.zoo import get_card, model_path

CARDS = ("virtual-person", "virtual-pose", "virtual-depth")


@pytest.fixture
def makers(monkeypatch):
    """The script's functions by file name."""
    monkeypatch.syspath_prepend(str(models_zoo_folder()))
    return importlib.import_module("make_virtual_networks").MAKERS


def parsed(path):
    """The graph without its constants, and the constants by name."""
    model = onnx.load(path)
    constants = {c.name: numpy_helper.to_array(c) for c in model.graph.initializer}
    del model.graph.initializer[:]
    return model, constants


@pytest.mark.parametrize("card_id", CARDS)
def test_the_script_makes_the_committed_file(card_id, makers, tmp_path):
    committed = model_path(card_id)
    again = tmp_path / committed.name
    makers[committed.name](again)
    (model, constants), (model_again, constants_again) = parsed(committed), parsed(again)
    assert model_again == model
    assert constants_again.keys() == constants.keys()
    for name, value in constants.items():
        assert constants_again[name].dtype == value.dtype
        np.testing.assert_allclose(constants_again[name], value, rtol=1e-6, err_msg=name)


def test_the_script_makes_equal_bytes_and_no_other_files(makers, tmp_path):
    for name, make in makers.items():
        (tmp_path / "one").mkdir(exist_ok=True)
        (tmp_path / "two").mkdir(exist_ok=True)
        make(tmp_path / "one" / name)
        make(tmp_path / "two" / name)
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert {model_path(card_id).name for card_id in CARDS} == makers.keys()


@pytest.mark.parametrize("card_id", CARDS)
def test_a_card_finds_its_embedded_file_and_tells_its_contract(card_id, network):
    card = get_card(card_id)
    assert model_path(card_id) == models_zoo_folder() / card.file
    assert not card.urls
    assert card.licence == "Apache-2.0"
    assert "virtual world only" in card.notes
    assert Path(card.recipe.split()[-1]).name == "make_virtual_networks.py"
    model = network(card_id)
    for declared, found in (
        (card.contract.inputs, model.inputs),
        (card.contract.outputs, model.outputs),
    ):
        assert {name: shape for name, (shape, _) in found.items()} == declared


def test_the_cards_open_as_a_detector():
    opened = open_detector(*CARDS, device="cpu", threads=1)
    detector = opened.detector
    assert detector.people.input_wh == (320, 320)
    assert detector.poses.input_wh == (192, 256)
    assert detector.keypoint_skeleton.name == "coco_17"
    assert (detector.depth.kind, detector.depth.target_px) == ("metric", 252)
