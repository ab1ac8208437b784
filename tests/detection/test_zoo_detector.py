"""Names → models: cards and files, known by their hash and options before they are opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from auglift.detection import zoo_detector
from auglift.detection.zoo_detector import choose_models, open_detector
from auglift.errors import ModelError
from auglift.storage.cards import UNKNOWN, Card, Contract
from auglift.storage.fetch import file_sha256


def names(models: dict[str, str]) -> tuple[str, str, str]:
    return models["person_model"], models["pose_model"], models["depth_model"]


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


def test_what_is_chosen_is_what_is_opened(virtual_models: dict[str, str]) -> None:
    opened = open_detector(*names(virtual_models), device="cpu")
    assert choose_models(*names(virtual_models)) == opened.choices
    assert {role: record.id for role, record in opened.models.items()} == {
        "people": "virtual_person.onnx",
        "poses2d": "virtual_pose.onnx",
        "depth": "virtual_depth.onnx",
    }
    path = Path(virtual_models["pose_model"])
    assert opened.models["poses2d"].sha256 == file_sha256(path)
    assert opened.providers == ("CPUExecutionProvider",)


def test_without_depth(virtual_models: dict[str, str]) -> None:
    person, pose, _ = names(virtual_models)
    assert set(choose_models(person, pose, None)) == {"people", "poses2d"}
    assert open_detector(person, pose, None, device="cpu").detector.depth is None


def test_a_cards_options_reach_the_networks(
    virtual_models: dict[str, str], tmp_path: Path, cards: dict[str, Card]
) -> None:
    for path in virtual_models.values():
        shutil.copy(path, tmp_path)
    for role, (kind, options) in {
        "person": ("person", {"score_threshold": 0.9}),
        "pose": ("pose", {"padding": 1.5}),
        "depth": ("depth", {"target_px": 126}),
    }.items():
        path = Path(virtual_models[f"{role}_model"])
        cards[f"my-{kind}"] = card(kind, path.name, file_sha256(path), **options)
    opened = open_detector("my-person", "my-pose", "my-depth", device="cpu", model_dir=tmp_path)
    assert opened.models["people"].id == "my-person"
    assert opened.choices["people"].options == {"score_threshold": 0.9, "input_wh": [320, 320]}
    assert opened.detector.depth is not None
    assert opened.detector.depth.target_px == 126
    assert opened.choices == choose_models("my-person", "my-pose", "my-depth", model_dir=tmp_path)


def test_a_file_precedes_a_card_of_its_name(
    virtual_models: dict[str, str],
    tmp_path: Path,
    cards: dict[str, Card],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(virtual_models["person_model"], tmp_path / "my-person")
    cards["my-person"] = card("person", "another.onnx", "0" * 64, score_threshold=0.9)
    _, pose, depth = names(virtual_models)
    choice = choose_models("my-person", pose, depth)["people"]
    assert choice.record.sha256 == file_sha256(tmp_path / "my-person")
    assert choice.options == {}


def test_the_hash_of_a_card_is_enough_to_know_a_model(
    virtual_models: dict[str, str], cards: dict[str, Card]
) -> None:
    cards["my-depth"] = card("depth", "not_here.onnx", "ab" * 32)
    person, pose, _ = names(virtual_models)
    assert choose_models(person, pose, "my-depth")["depth"].record.sha256 == "ab" * 32


def test_a_card_without_a_hash_takes_its_files(
    virtual_models: dict[str, str], tmp_path: Path, cards: dict[str, Card]
) -> None:
    person, pose, depth = names(virtual_models)
    shutil.copy(depth, tmp_path)
    cards["my-depth"] = card("depth", Path(depth).name, UNKNOWN)
    chosen = choose_models(person, pose, "my-depth", model_dir=tmp_path)
    assert chosen["depth"].record.sha256 == file_sha256(Path(depth))
    # It would have to be fetched, which a dry run must not.
    cards["my-depth"] = card("depth", "not_here.onnx", UNKNOWN)
    chosen = choose_models(person, pose, "my-depth", may_fetch=False)
    assert chosen["depth"].record.sha256 == UNKNOWN


def test_an_unknown_model_lists_the_known_ones(virtual_models: dict[str, str]) -> None:
    _, pose, depth = names(virtual_models)
    with pytest.raises(ModelError) as caught:
        choose_models("no/such.onnx", pose, depth)
    assert "rtmdet-m" in str(caught.value.hint)
