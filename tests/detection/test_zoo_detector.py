"""Names → models: cards and files, known by their hash and options before they are opened."""

from __future__ import annotations

import shutil
from dataclasses import replace
from inspect import signature
from pathlib import Path

import pytest

from auglift.config import models_zoo_folder
from auglift.detection import zoo_detector
from auglift.detection.depth import DepthEstimator
from auglift.detection.people import PersonDetector
from auglift.detection.poses2d import PoseEstimator2d
from auglift.detection.zoo_detector import GRAPH_OPTIONS, choose_models, open_detector
from auglift.errors import ModelError
from auglift.storage.cards import UNKNOWN, Card, Contract, load_cards
from auglift.storage.fetch import file_sha256

NAMES = ("person", "pose", "depth")
FILES = [str(models_zoo_folder() / "virtual" / f"virtual_{name}.onnx") for name in NAMES]
PERSON, POSE, DEPTH = FILES


def card(kind: str, file: str, sha256: str, **options: object) -> Card:
    return Card(
        id=f"my-{kind}",
        kind=kind,
        file=file,
        sha256=sha256,
        licence="MIT",
        non_commercial=False,
        contract=Contract(inputs={}, outputs={}, input_wh=(320, 320)),
        description="",
        options=options,
    )


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> dict[str, Card]:
    """An empty zoo, to be filled."""
    known: dict[str, Card] = {}
    monkeypatch.setattr(zoo_detector, "load_cards", lambda: known)
    monkeypatch.setattr("auglift.storage.zoo.load_cards", lambda: known)
    monkeypatch.setattr("auglift.storage.zoo.get_card", lambda name: known[name])
    return known


def test_what_is_chosen_is_what_is_opened() -> None:
    opened = open_detector(*FILES, device="cpu")
    assert choose_models(*FILES) == opened.choices
    assert {role: record.id for role, record in opened.models.items()} == {
        "people": "virtual_person.onnx",
        "poses2d": "virtual_pose.onnx",
        "depth": "virtual_depth.onnx",
    }
    assert opened.models["poses2d"].sha256 == file_sha256(Path(POSE))
    assert opened.providers == ("CPUExecutionProvider",)


def test_without_depth() -> None:
    assert set(choose_models(PERSON, POSE, None)) == {"people", "poses2d"}
    assert open_detector(PERSON, POSE, None, device="cpu").detector.depth is None


def test_a_cards_options_reach_the_networks(tmp_path: Path, cards: dict[str, Card]) -> None:
    options = [{"score_threshold": 0.9}, {"padding": 1.5}, {"target_px": 126}]
    for kind, path, chosen in zip(NAMES, map(Path, FILES), options, strict=True):
        shutil.copy(path, tmp_path)
        cards[f"my-{kind}"] = card(kind, path.name, file_sha256(path), **chosen)
    opened = open_detector("my-person", "my-pose", "my-depth", device="cpu", model_dir=tmp_path)
    assert opened.models["people"].id == "my-person"
    assert opened.choices["people"].options == {"score_threshold": 0.9, "input_wh": [320, 320]}
    assert opened.detector.depth is not None
    assert opened.detector.depth.target_px == 126
    assert opened.choices == choose_models("my-person", "my-pose", "my-depth", model_dir=tmp_path)


def test_what_is_asked_for_goes_before_the_card(tmp_path: Path, cards: dict[str, Card]) -> None:
    shutil.copy(DEPTH, tmp_path)
    name = Path(DEPTH).name
    cards["my-depth"] = card("depth", name, file_sha256(Path(DEPTH)), target_px=126, output="depth")
    options = {"depth": {"target_px": 252}, "poses2d": {"flip_test": True}}
    names = (PERSON, POSE, "my-depth")
    opened = open_detector(*names, device="cpu", model_dir=tmp_path, options=options)
    assert opened.detector.depth is not None
    assert opened.detector.depth.target_px == 252
    assert opened.choices["depth"].options == {"target_px": 252, "output": "depth"}
    assert opened.choices == choose_models(*names, model_dir=tmp_path, options=options)
    assert opened.choices != choose_models(*names, model_dir=tmp_path)


def test_a_file_precedes_a_card_of_its_name(
    tmp_path: Path, cards: dict[str, Card], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(PERSON, tmp_path / "my-person")
    cards["my-person"] = card("person", "another.onnx", "0" * 64, score_threshold=0.9)
    choice = choose_models("my-person", POSE, DEPTH)["people"]
    assert choice.record.sha256 == file_sha256(tmp_path / "my-person")
    assert choice.options == {}


def test_the_hash_of_a_card_is_enough_to_know_a_model(cards: dict[str, Card]) -> None:
    cards["my-depth"] = card("depth", "not_here.onnx", "ab" * 32)
    assert choose_models(PERSON, POSE, "my-depth")["depth"].record.sha256 == "ab" * 32


def test_a_card_without_a_hash_takes_its_files(tmp_path: Path, cards: dict[str, Card]) -> None:
    shutil.copy(DEPTH, tmp_path)
    cards["my-depth"] = card("depth", Path(DEPTH).name, UNKNOWN)
    chosen = choose_models(PERSON, POSE, "my-depth", model_dir=tmp_path)
    assert chosen["depth"].record.sha256 == file_sha256(Path(DEPTH))
    # It would have to be fetched, which a dry run must not.
    cards["my-depth"] = card("depth", "not_here.onnx", UNKNOWN)
    chosen = choose_models(PERSON, POSE, "my-depth", may_fetch=False)
    assert chosen["depth"].record.sha256 == UNKNOWN


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(ModelError) as caught:
        choose_models("no/such.onnx", POSE, DEPTH)
    assert "rtmdet-m" in str(caught.value.hint)


# --- model files that cannot be used: a clear word for each


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ((POSE, POSE, DEPTH), "no person detector: its outputs are 'simcc_x'"),
        ((DEPTH, POSE, DEPTH), "takes pictures of any size|no person detector"),
        ((PERSON, DEPTH, DEPTH), "no SimCC pose network|takes pictures of any size"),
        ((PERSON, PERSON, DEPTH), "no SimCC pose network: its outputs are 'dets'"),
        ((PERSON, POSE, POSE), "no output 'depth': the graph has simcc_x, simcc_y"),
        ((PERSON, POSE, PERSON), "no output 'depth': the graph has dets, labels"),
    ],
)
def test_a_model_of_another_contract_is_named(names: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint) as caught:
        open_detector(*names, device="cpu", threads=1)
    assert ".onnx" in str(caught.value.where)
    assert caught.value.hint


@pytest.mark.parametrize("role", range(3))
@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"", "the model file is empty"), (b"<!doctype html>", "not an ONNX model")],
)
def test_a_file_that_holds_no_model_is_named(
    tmp_path: Path, role: int, content: bytes, complaint: str
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)
    names = [*FILES]
    names[role] = str(broken)
    with pytest.raises(ModelError, match=complaint) as caught:
        open_detector(*names, device="cpu", threads=1)
    assert str(caught.value.where) == str(broken)


def test_a_file_with_another_hash_is_refused(tmp_path: Path, cards: dict[str, Card]) -> None:
    shutil.copy(DEPTH, tmp_path)
    cards["my-depth"] = card("depth", Path(DEPTH).name, "ab" * 32)
    with pytest.raises(ModelError, match="SHA-256") as caught:
        open_detector(PERSON, POSE, "my-depth", device="cpu", model_dir=tmp_path)
    assert "ab" * 32 in str(caught.value)


def test_without_a_network_or_a_cache_it_says_where_to_put_the_file(
    tmp_path: Path, cards: dict[str, Card], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody_listens = "http://127.0.0.1:9/depth.onnx"
    one = card("depth", "depth.onnx", "ab" * 32)
    cards["my-depth"] = replace(one, urls=(nobody_listens,))
    monkeypatch.setenv("AUGLIFT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match="could not be fetched") as caught:
        open_detector(PERSON, POSE, "my-depth", device="cpu")
    assert "depth.onnx" in str(caught.value.hint)
    monkeypatch.setenv("AUGLIFT_OFFLINE", "1")
    with pytest.raises(ModelError, match="AUGLIFT_OFFLINE"):
        open_detector(PERSON, POSE, "my-depth", device="cpu")
    (tmp_path / "file").touch()
    monkeypatch.delenv("AUGLIFT_OFFLINE")
    monkeypatch.setenv("AUGLIFT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ModelError, match="cache cannot be written to"):
        open_detector(PERSON, POSE, "my-depth", device="cpu")


def test_every_card_of_the_zoo_states_options_that_its_class_takes() -> None:
    classes = {"person": PersonDetector, "pose": PoseEstimator2d, "depth": DepthEstimator}
    for known in load_cards().values():
        if known.kind in classes:
            taken = set(signature(classes[known.kind]).parameters) | set(GRAPH_OPTIONS)
            assert set(known.options) <= taken, known.id
