"""From a finished run to an embedded lifter: weights, card, recipes."""

from __future__ import annotations

import importlib
import shlex
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml

from auglift.config import as_yaml, config_hash, load_config, models_zoo_folder
from auglift.errors import DataError, UsageError
from auglift.evaluate import EvaluateConfig, evaluate
from auglift.lifting.checkpoint import load_lifter, save_lifter
from auglift.lifting.recipe import AugmentConfig
from auglift.simulate import SimulateConfig, simulate
from auglift.storage.cards import read_card
from auglift.storage.fetch import file_sha256
from auglift.storage.provenance import lasting_settings
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import write_table
from auglift.storage.tables import read_table, table_info
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


@pytest.fixture
def retraining(script: ModuleType) -> ModuleType:
    return importlib.import_module("retraining")


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
    assert len(one) == 4
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
    *words, file = shlex.split(first)
    assert words == ["auglift", "simulate", "-c"]
    file = file.removeprefix("models_zoo/")
    again = load_config(SimulateConfig, files=[tmp_path / file], environment={})
    assert again == SimulateConfig(actions=("walk",), seconds=1.0, views=1, rows=120)
    assert config_hash(again) == table_of(root).config_hash
    assert file == f"recipes/data/virtual-{config_hash(again)}.yaml"
    assert second == f"auglift train --recipe {NAME} --set name={RUN}"
    assert third == f"python models_zoo/make_lifter.py {RUN} --name {NAME}"


def table_of(root: Path) -> TableMetadata:
    return table_info(Workspace(root).xycd("virtual", "train"), "xycd").metadata


def test_the_datas_recipe_has_every_setting(retraining: ModuleType, root: Path) -> None:
    """As a default of today may be another one tomorrow, each error of the detections' included."""
    found = yaml.safe_load(retraining.data_recipe("virtual", table_of(root)).text)
    today = lasting_settings(SimulateConfig())
    assert list(found) == list(today)
    assert list(found["noise"]) == list(today["noise"])


def test_settings_that_are_no_more_are_kept(retraining: ModuleType, root: Path) -> None:
    metadata = table_of(root)
    config = {**metadata.config, "brightness": 0.5}
    noise = dict(metadata.config["noise"], fog=1.0)
    recipe = retraining.data_recipe("virtual", replace(metadata, config=config | {"noise": noise}))
    found = yaml.safe_load(recipe.text)
    assert (found["brightness"], found["noise"]["fog"]) == (0.5, 1.0)
    assert recipe.file != retraining.data_recipe("virtual", metadata).file


def test_motion_files_are_named_without_their_places(retraining: ModuleType, root: Path) -> None:
    extra = {"simulated": True, "motion": ["my walk.bvh", "b.bvh"]}
    recipe = retraining.data_recipe("virtual", replace(table_of(root), extra=extra))
    assert retraining.simulate_command(recipe) == (
        f"auglift simulate -c models_zoo/{recipe.file} --motion 'my walk.bvh' --motion b.bvh"
    )
    with pytest.raises(DataError, match="the table of h36m was not made by auglift simulate"):
        retraining.data_recipe("h36m", replace(table_of(root), extra={}))


def test_lifters_of_the_same_data_share_its_recipe(
    script: ModuleType, root: Path, tmp_path: Path
) -> None:
    script.make_lifter(RUN, "lift-one", root, tmp_path)
    (file,) = (tmp_path / "recipes" / "data").iterdir()
    settings = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(settings))  # as an older auglift may have written it
    before = file.read_bytes()
    script.make_lifter(RUN, "lift-two", root, tmp_path)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
    one, two = (read_card(tmp_path / f"lift-{name}.yaml").lifter for name in ("one", "two"))
    assert one is not None
    assert two is not None
    assert one.retrain.split(" && ")[0] == two.retrain.split(" && ")[0]


def test_a_changed_recipe_of_the_data_is_not_written_over(
    script: ModuleType, retraining: ModuleType, root: Path, tmp_path: Path
) -> None:
    recipe = retraining.data_recipe("virtual", table_of(root))
    file = tmp_path / recipe.file
    file.parent.mkdir(parents=True)
    file.write_text(recipe.text.replace("views: 1", "views: 2"))
    with pytest.raises(DataError, match="no longer holds the settings that its name stands for"):
        script.make_lifter(RUN, NAME, root, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


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


# ----------------------------------------------------------------- who was held out


BODIES = SimulateConfig(
    actions=("walk",), seconds=1.0, views=1, train_subjects=2, test_subjects=1, bodies=2, workers=1
)


@pytest.fixture(scope="module")
def with_bodies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with S1-1 and S1-2, S2-1 and S2-2 to learn from."""
    folder = tmp_path_factory.mktemp("bodies")
    simulate(replace(BODIES, root=folder))
    return folder


def trained(root: Path, name: str, **changes: object) -> None:
    train(replace(SETTINGS, root=root, name=name, **changes))


def test_people_held_out_in_all_bodies_make_a_lifter(
    script: ModuleType, with_bodies: Path, tmp_path: Path
) -> None:
    trained(with_bodies, "default")
    trained(with_bodies, "wish", val_subjects=("S1-*",))
    for run in ("default", "wish"):
        assert script.make_lifter(run, f"lift-{run}", with_bodies, tmp_path)


def test_other_bodies_of_the_validated_make_no_lifter(
    script: ModuleType, with_bodies: Path, tmp_path: Path
) -> None:
    trained(with_bodies, "one-body", val_subjects=("S2-2", "S1-*"))
    with pytest.raises(UsageError, match=r"people whom it was validated on.*: S2\n") as caught:
        script.make_lifter("one-body", NAME, with_bodies, tmp_path)
    assert "hold out whole people" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_runs_of_before_people_were_held_out_make_no_lifter(
    script: ModuleType, with_bodies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without val_subjects, one body was: the checkpoint tells by the rows it has learned from."""
    with monkeypatch.context() as before:
        each = lambda subjects, _: {name: (name,) for name in sorted(set(subjects))}  # noqa: E731
        before.setattr("auglift.lifting.open_tables.people_of", each)
        trained(with_bodies, "old")
    with pytest.raises(UsageError, match=r"has learned from 75 rows of virtual, .* give 50"):
        script.make_lifter("old", NAME, with_bodies, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_person_alone_makes_no_lifter(script: ModuleType, tmp_path: Path) -> None:
    simulate(replace(BODIES, root=tmp_path, train_subjects=1))
    trained(tmp_path, "alone")
    with pytest.raises(UsageError, match=r"people whom it was validated on.*: S1\n"):
        script.make_lifter("alone", NAME, tmp_path, tmp_path / "zoo")


def test_another_data_set_of_the_same_motion_has_the_same_people(
    script: ModuleType, tmp_path: Path
) -> None:
    simulate(replace(BODIES, root=tmp_path))
    simulate(replace(BODIES, root=tmp_path, dataset="virtual-wide", bodies=1))
    both = {"dataset": ("virtual", "virtual-wide")}
    trained(tmp_path, "both", **both)  # S2 of each
    script.make_lifter("both", NAME, tmp_path, tmp_path / "zoo")
    trained(tmp_path, "one", val_subjects=("S2-*",), **both)
    with pytest.raises(UsageError, match=r"people whom it was validated on.*: S2\n"):
        script.make_lifter("one", NAME, tmp_path, tmp_path / "zoo")


def test_people_of_another_split_are_looked_at_too(script: ModuleType, tmp_path: Path) -> None:
    simulate(replace(BODIES, root=tmp_path))
    workspace = Workspace(tmp_path)
    for split, source in (("val", "test"), ("train", "train")):
        table = read_table(workspace.xycd("virtual", source), "xycd")
        write_table(workspace.xycd("virtual", "val"), table.metadata, table.columns)
        trained(tmp_path, split, val_split="val")
        if split == "val":
            script.make_lifter(split, NAME, tmp_path, tmp_path / "zoo")
    with pytest.raises(UsageError, match=r"people whom it was validated on.*: S1, S2\n"):
        script.make_lifter("train", NAME, tmp_path, tmp_path / "zoo")


def test_motion_of_unknown_licence_is_refused(script: ModuleType) -> None:
    lifter_card = importlib.import_module("lifter_card")
    for name in ("cmu", "cmu-wide", "cmu_wide"):
        assert lifter_card.source_of(name) is lifter_card.SOURCES["cmu"]
    with pytest.raises(UsageError, match="under which licence the motion of 'h36m' is"):
        lifter_card.source_of("h36m")
