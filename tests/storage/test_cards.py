from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from auglift.errors import ConfigError, UsageError
from auglift.geometry.skeleton import COCO_17
from auglift.storage.cards import KINDS, UNKNOWN, Contract, get_card, load_cards, read_card

CARD = {
    "id": "tiny",
    "kind": "pose",
    "file": "tiny.onnx",
    "sha256": "ab" * 32,
    "licence": "MIT",
    "non_commercial": False,
    "contract": {
        "inputs": {"input": [None, 3, 256, 192]},
        "outputs": {"simcc_x": [None, 17, 384]},
        "input_wh": [192, 256],
        "layout": "RGB",
    },
    "description": "A test.",
}


def write_card(folder: Path, name: str = "tiny", **changes: object) -> Path:
    tree = {key: value for key, value in {**CARD, **changes}.items() if value != "LEFT OUT"}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


LIFTER = {
    "arch": "tcn",
    "variant": "casp",
    "frames": 27,
    "fps": 25.0,
    "parameters": 1000,
    "size_mb": 1.5,
    "validation_p1_mm": 45,
    "validation_p2_mm": 35.5,
    "training_data": [{"dataset": "cmu", "rows": 7, "licence": "free", "credit": "CMU"}],
    "retrain": "auglift train",
    "limits": "None known.",
}


def test_card_is_read_with_its_contract(tmp_path: Path):
    card = read_card(write_card(tmp_path, urls=["https://a/b.zip"], member="end2end.onnx"))
    assert card.contract == Contract(
        inputs={"input": (None, 3, 256, 192)},
        outputs={"simcc_x": (None, 17, 384)},
        input_wh=(192, 256),
        layout="RGB",
    )
    assert (card.kind, card.urls, card.member) == ("pose", ("https://a/b.zip",), "end2end.onnx")
    assert (card.recipe, card.score, card.notes) == ("", "", "")


def test_a_lifters_card_says_what_it_learned_from(tmp_path: Path):
    lifter = read_card(write_card(tmp_path, kind="lifter", lifter=LIFTER)).lifter
    assert lifter is not None
    assert (lifter.variant, lifter.frames, lifter.validation_p1_mm) == ("casp", 27, 45.0)
    assert [(data.dataset, data.rows) for data in lifter.training_data] == [("cmu", 7)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"licenze": "MIT"}, "unknown key 'licenze': did you mean 'licence'"),
        ({"licence": "LEFT OUT"}, "'licence' is missing"),
        ({"kind": "dog"}, "kind: 'dog' is none of person, pose, depth, lifter"),
        ({"sha256": "ab12"}, "sha256: 'ab12' is neither 64 hex digits nor 'unknown'"),
        ({"sha256": 12}, "sha256: 12 is neither"),
        ({"non_commercial": "no"}, "non_commercial: 'no' is neither true nor false"),
        ({"description": " "}, "description: ' ' is not a text"),
        ({"urls": "https://a"}, "urls: 'https://a' is not a list"),
        ({"file": "../../etc/passwd"}, "file: '../../etc/passwd' leads out of the model folder"),
        ({"file": "/etc/passwd"}, "file: '/etc/passwd' leads out"),
        ({"contract": {"inputs": {}}}, "contract: 'outputs' is missing"),
        ({"contract": {**CARD["contract"], "input": {}}}, "contract: unknown key 'input'"),
        ({"contract": {"inputs": {"x": [1.5]}, "outputs": {}}}, "contract: inputs: .1.5. is not"),
        ({"contract": {"inputs": {"x": [True]}, "outputs": {}}}, "contract: inputs: .True. is not"),
        ({"contract": {**CARD["contract"], "input_wh": [192]}}, "input_wh: .192. is not"),
        ({"contract": None}, "contract: contract has no"),
        ({"kind": "lifter"}, "kind is lifter; the section 'lifter' belongs to kind lifter"),
        ({"lifter": LIFTER}, "kind is pose; the section 'lifter' belongs to kind lifter"),
        ({"kind": "lifter", "lifter": {**LIFTER, "frames": 0}}, "lifter: frames: 0 is not a whole"),
        ({"kind": "lifter", "lifter": {**LIFTER, "fps": -1}}, "lifter: fps: -1 is not a positive"),
        (
            {"kind": "lifter", "lifter": {**LIFTER, "validation_p1_mm": "45"}},
            "lifter: validation_p1_mm: '45' is not a positive",
        ),
        (
            {"kind": "lifter", "lifter": {**LIFTER, "training_data": [{"dataset": "cmu"}]}},
            "lifter: training_data: 'rows' is missing",
        ),
    ],
)
def test_faulty_card_is_refused(tmp_path: Path, changes: dict, message: str):
    path = write_card(tmp_path, **changes)
    with pytest.raises(ConfigError, match=message) as caught:
        read_card(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("content", ["id: [", "- a\n- b\n", "", "\x80"])
def test_file_that_is_no_card_is_refused(tmp_path: Path, content: str):
    path = tmp_path / "odd.yaml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match="card"):
        read_card(path)


def test_card_is_called_as_its_file(tmp_path: Path):
    with pytest.raises(ConfigError, match="id is 'tiny'"):
        read_card(write_card(tmp_path, name="large"))


def test_unknown_card_suggests_one(tmp_path: Path):
    write_card(tmp_path)
    assert get_card("tiny", tmp_path).id == "tiny"
    with pytest.raises(UsageError, match="did you mean 'tiny'"):
        get_card("tinny", tmp_path)
    with pytest.raises(UsageError, match="unknown model"):
        get_card("../models_zoo/tiny", tmp_path)


# --- the cards of this repository ----------------------------------------------------------------


def test_every_card_of_the_zoo_is_sound():
    cards = load_cards()
    assert {card.kind for card in cards.values()} >= set(KINDS) - {"lifter"}
    files = [card.file for card in cards.values()]
    assert len(set(files)) == len(files), "two models would share a place in the cache"
    for card in cards.values():
        assert all(url.startswith("https://") for url in card.urls)
        assert (card.member is not None) == any(url.endswith(".zip") for url in card.urls)


def test_non_commercial_licences_are_marked():
    for card in load_cards().values():
        assert card.non_commercial == ("NC" in card.licence), card.id


def test_pose_contracts_agree_with_themselves():
    for card in load_cards().values():
        if card.kind == "pose" and "simcc_x" in card.contract.outputs:
            width, height = card.contract.input_wh
            n_joints = COCO_17.n_joints
            assert card.contract.inputs == {"input": (None, 3, height, width)}
            assert card.contract.outputs == {
                "simcc_x": (None, n_joints, 2 * width),
                "simcc_y": (None, n_joints, 2 * height),
            }


def test_only_hashes_that_are_vouched_for():
    # Where nobody vouches for a hash the card says `unknown`: a guess would lock users out.
    unknown = {card.id for card in load_cards().values() if card.sha256 == UNKNOWN and card.urls}
    assert unknown == {
        "rtmpose-l-384x288",
        "rtmpose-x-384x288",
        "depth-anything-v2-base",
        "depth-anything-v2-large",
        "depth-anything-v2-base-indoor",
        "depth-anything-v2-large-indoor",
        "depth-anything-v2-small-outdoor",
        "depth-anything-v2-base-outdoor",
        "depth-anything-v2-large-outdoor",
    }
