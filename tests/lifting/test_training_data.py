"""From tables to rows, tensors and the spec of the lifter that is to learn from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from auglift.errors import ConfigError, DataError
from auglift.lifting.models import build_model
from auglift.lifting.open_tables import open_tables
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig
from auglift.lifting.training_data import Loading, WholeTables, load_tables
from auglift.lifting.training_spec import make_spec
from auglift.storage.table_metadata import ModelRecord
from auglift.storage.workspace import Workspace

Write = Callable[..., Path]
DEPTH = ("depth_m", "depth_valid")


def read(root: Path, *datasets: str, **options: object) -> WholeTables:
    files = [(Workspace(root).xycd(name, "train"),) for name in datasets or ("h36m",)]
    tables = open_tables(files, None, DEPTH, **options)  # type: ignore[arg-type]
    assert isinstance(tables, WholeTables)
    return tables


def spec_for(
    tables: WholeTables,
    arch: str = "tcn-27",
    target: TargetConfig = TargetConfig(),  # noqa: B008 (it is frozen)
    **model: object,
) -> LifterSpec:
    columns = load_tables(tables.learned, Loading()).columns
    wanted = LifterSpec(arch=arch, model=model, target=target)
    return make_spec(
        wanted,
        tables.learned,
        columns,
        frames=None,
        task="2d3d",
        depth="measured",
        val_split="train",
    )


def test_rows_are_named_by_their_tables(write_xycd: Write) -> None:
    root = write_xycd()
    write_xycd(dataset="fit3d")
    tables = read(root, "h36m", "fit3d")
    assert (tables.learned_rows, tables.validation_rows) == (96, 96)
    assert tables.name_row(0) == "h36m/S1/Eating/cam, person 0, frame 0"
    assert tables.name_row(47) == "h36m/S1/Walking/cam, person 0, frame 23"
    assert tables.name_row(48 + 25) == "fit3d/S1/Walking/cam, person 0, frame 1"


def subjects_of(tables: WholeTables) -> tuple[list[str], list[str]]:
    """Those learned from, and those validated on."""
    sides = (tables.learned, tables.validation)
    learned, validated = (sorted({s for t in side for s in t.unique("subject")}) for side in sides)
    return learned, validated


def test_the_last_person_is_held_out_in_all_bodies(write_xycd: Write) -> None:
    bodies = [f"{person}-{i}" for person in ("S1", "S5") for i in (1, 2, 10)]
    root = write_xycd(subjects=tuple(bodies), config={"bodies": 10})
    assert subjects_of(read(root)) == (["S1-1", "S1-10", "S1-2"], ["S5-1", "S5-10", "S5-2"])
    learned, validated = subjects_of(read(root, val_subjects=("S5-10",)))  # a wish is a wish
    assert validated == ["S5-10"]
    assert "S5-1" in learned


def test_one_person_with_several_bodies_cannot_be_held_out(write_xycd: Write) -> None:
    root = write_xycd(subjects=("S1-1", "S1-2"), config={"bodies": 2})
    tables = read(root)
    assert (tables.learned_rows, tables.validation_rows) == (72, 24)  # the last of four tracks
    assert subjects_of(tables) == (["S1-1", "S1-2"], ["S1-2"])
    write_xycd(dataset="fit3d", subjects=("s03", "s04"))
    both = read(root, "h36m", "fit3d")
    assert subjects_of(both) == (["S1-1", "S1-2", "s03"], ["S1-2", "s04"])


def test_real_people_with_numbers_are_held_out_one_by_one(write_xycd: Write) -> None:
    root = write_xycd(subjects=("subject-1", "subject-2", "subject-3"))
    assert subjects_of(read(root)) == (["subject-1", "subject-2"], ["subject-3"])


def test_identity_changes_with_the_data_only(write_xycd: Write) -> None:
    root = write_xycd()
    before = read(root).identity()
    assert read(root).identity() == before
    assert read(root, val_subjects=("S1",)).identity() == before  # both subjects are as long
    write_xycd(n_frames=20)
    assert read(root).identity() != before


def test_a_few_rows_are_the_beginning(write_xycd: Write) -> None:
    tables = read(write_xycd(n_frames=300))
    few = tables.few()
    assert (few.learned_rows, few.validation_rows) == (512, 512)
    np.testing.assert_array_equal(few.learned[0]["frame"], tables.learned[0]["frame"][:512])


def test_tracks_of_several_tables_stay_apart(write_xycd: Write) -> None:
    root = write_xycd()
    write_xycd(dataset="fit3d", fps=50.0)
    data = load_tables(read(root, "h36m", "fit3d").learned, Loading())
    assert data.first.unique().tolist() == [0, 24, 48, 72]
    assert data.fps.tolist() == [25.0] * 48 + [50.0] * 48
    assert {"intrinsics", "visible", *DEPTH} <= set(data.columns)


def test_a_spec_says_what_the_rows_say(write_xycd: Write) -> None:
    tables = read(write_xycd())
    spec = spec_for(tables, channels=16)
    assert spec.arch == "tcn"
    assert spec.model["frames"] == 27
    assert spec.model["channels"] == 16  # not the preset's
    assert spec.model["in_channels"] == len(spec.features.channels)
    assert spec.focal_range == (1.0, 1.0)
    assert spec.data == {
        "tables": [["h36m", 48]], "depth": "measured", "task": "2d3d", "chosen_on": "train",
    }  # fmt: skip


def test_feature_maps_are_projected(write_xycd: Write) -> None:
    tables = read(write_xycd())
    columns = load_tables(tables.learned, Loading()).columns
    features = FeatureConfig(variant="xycd+features", feature_sizes=(8, 4))
    wanted = LifterSpec(arch="tcn", model={"depth_pathway": True}, features=features)
    options = {"frames": 3, "depth": "measured", "val_split": "train"}
    spec = make_spec(wanted, tables.learned, columns, task="2d3d", **options)
    assert spec.model["feature_groups"] == (8, 4)
    assert spec.model["depth_channels"] == (3,)
    with pytest.raises(ConfigError, match="path for depths"):
        make_spec(wanted, tables.learned, columns, task="3d3d", **options)


def test_the_tables_say_the_groups_of_their_features(write_xycd: Write) -> None:
    tables = read(write_xycd())
    columns = load_tables(tables.learned, Loading()).columns
    columns = {**columns, "features": torch.zeros(len(columns["detected"]), 17, 12)}
    wanted = LifterSpec(arch="tcn", model={}, features=FeatureConfig(variant="xy+features"))
    options = {"frames": 3, "depth": "measured", "val_split": "train", "task": "2d3d"}

    def groups(*said: tuple[int, ...]) -> object:
        learned = tuple(
            replace(t, metadata=replace(t.metadata, extra={"feature_sizes": list(sizes)}))
            for t, sizes in zip(tables.learned * len(said), said, strict=True)
        )
        spec = make_spec(wanted, learned, columns, **options)
        return spec.model["feature_groups"]

    assert groups((8, 4)) == (8, 4)
    assert groups(()) == (12,)
    with pytest.raises(DataError, match="different networks"):
        groups((8, 4), (4, 8))


def said_of(tables, **metadata: object):
    """The tables with other words about themselves."""
    return tuple(replace(t, metadata=replace(t.metadata, **metadata)) for t in tables)


def test_how_features_were_made_travels_with_the_lifter(write_xycd: Write) -> None:
    learned = read(write_xycd()).learned
    columns = load_tables(learned, Loading()).columns
    columns = {**columns, "features": torch.zeros(len(columns["detected"]), 17, 12)}
    features = FeatureConfig(variant="xy+features", feature_pooling="bilinear")
    wanted = LifterSpec(arch="tcn", model={}, features=features)
    options = {"frames": 3, "depth": "measured", "val_split": "train", "task": "2d3d"}

    spec = make_spec(wanted, said_of(learned, models={}), columns, **options)
    assert spec.features.feature_pooling == "bilinear"  # the table does not say it
    assert spec.data["networks"] == {}
    models = {"people": ModelRecord("p", "1"), "poses2d": ModelRecord("rtmpose-m", "ab" * 32)}
    config = {"detect_depth": {"features": "nearest_4"}}
    detected = said_of(learned, models=models, config=config)
    spec = make_spec(wanted, detected, columns, **options)
    assert spec.features.feature_pooling == "nearest_4"
    assert spec.data["networks"] == {"poses2d": ["rtmpose-m", "ab" * 32]}

    other = {"poses2d": ModelRecord("rtmpose-m", "cd" * 32)}
    with pytest.raises(DataError, match="of different networks: rtmpose-m"):
        make_spec(wanted, detected + said_of(detected, models=other), columns, **options)
    config = {"detect_depth": {"features": "nearest_1"}}
    with pytest.raises(DataError, match="read differently: nearest_1, nearest_4"):
        make_spec(wanted, detected + said_of(detected, config=config), columns, **options)


@pytest.mark.parametrize(
    ("features", "target", "named"),
    [
        (FeatureConfig(scale="depth"), TargetConfig(), "features.scale=depth"),
        (FeatureConfig(), TargetConfig(convention="image", factor="depth"), "target.factor=depth"),
    ],
)
def test_distances_are_not_taken_from_depth_without_metres(
    write_xycd: Write, features: FeatureConfig, target: TargetConfig, named: str
) -> None:
    learned = read(write_xycd()).learned
    columns = load_tables(learned, Loading()).columns
    wanted = LifterSpec(arch="tcn", model={}, features=features, target=target)
    options = {"frames": 3, "val_split": "train", "task": "2d3d"}
    for kind in ({}, {"depth_kind": "metric"}, {"depth_kind": None}):
        make_spec(wanted, said_of(learned, extra=kind), columns, depth="measured", **options)
    relative = said_of(learned, extra={"depth_kind": "relative"})
    with pytest.raises(DataError, match=f"{named} needs distances .* h36m is relative"):
        make_spec(wanted, relative, columns, depth="measured", **options)
    make_spec(wanted, relative, columns, depth="true", **options)  # which is in metres
    neither = replace(wanted, features=FeatureConfig(), target=TargetConfig())
    make_spec(neither, relative, columns, depth="measured", **options)


def test_lifters_that_know_bones_are_told_the_tables_skeleton(write_xycd: Write) -> None:
    tables = read(write_xycd())
    assert spec_for(tables, "motionagformer-xs").model["skeleton"] == "h36m_17"
    assert "skeleton" not in spec_for(tables, "motionbert").model
    coco = WholeTables(
        tuple(replace(t, metadata=replace(t.metadata, skeleton="coco_17")) for t in tables.learned),
        tables.validation,
    )
    spec = spec_for(coco, "motionagformer-xs", layers=1, channels=16, frames=3)
    assert spec.model["skeleton"] == "coco_17"
    build_model(spec.arch, **spec.model)


def test_without_a_root_one_joint_less_comes_out_where_that_can_be(write_xycd: Write) -> None:
    tables = read(write_xycd())
    target = TargetConfig(root="removed")
    assert spec_for(tables, "simple", target=target).model["out_joints"] == 16
    with pytest.raises(ConfigError, match="poseformer puts out every joint"):
        spec_for(tables, "poseformer", target=target)


def test_nobody_to_learn_from_or_to_validate_on(write_xycd: Write) -> None:
    nobody = {
        "depth_valid": np.zeros((96, 17), bool),
        **{
            name: np.full((96, *shape), np.nan, np.float32)
            for name, shape in {
                "joints_2d": (17, 2), "joint_confidence": (17,), "depth_m": (17, 6),
                "radius_px": (17,), "box_xyxy": (4,),
            }.items()
        },
    }  # fmt: skip
    with pytest.raises(DataError, match="nobody was detected in any row"):
        read(write_xycd(detected=np.zeros(96, bool), **nobody))
    half = np.arange(96) < 48  # the second subject, who is validated on, is not seen
    only_first = {
        name: np.where(half.reshape(-1, *[1] * (value.ndim - 1)), _seen(value), value)
        for name, value in nobody.items()
    }
    with pytest.raises(DataError, match="nobody to validate on"):
        read(write_xycd(detected=half, **only_first))


def _seen(missing: np.ndarray) -> np.ndarray:
    return np.ones_like(missing)
