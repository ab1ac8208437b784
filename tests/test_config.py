"""Configuration: precedence, `base:` files, typed errors, and the hash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from auglift.config import (
    StageConfig,
    as_yaml,
    config_hash,
    load_config,
    section,
    setting,
    with_bases,
)
from auglift.errors import ConfigError, UsageError


@dataclass(frozen=True, kw_only=True)
class ModelSection:
    channels: int = 1024
    kind: Literal["tcn", "poseformer"] = "tcn"


@dataclass(frozen=True, kw_only=True)
class ToyConfig(StageConfig):
    epochs: int = setting(10)
    lr: float = setting(1e-3)
    datasets: tuple[str, ...] = setting(())
    shard: str | None = setting(None)
    model: ModelSection = section(ModelSection)

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f"epochs must be at least 1, not {self.epochs}")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_later_sources_win_in_the_documented_order(tmp_path: Path) -> None:
    recipe = write(tmp_path / "recipe.yaml", "epochs: 1\nlr: 1\nmodel: {channels: 1}\nroot: r1\n")
    first = write(tmp_path / "a.yaml", "epochs: 2\nlr: 2\nmodel: {channels: 2}\n")
    second = write(tmp_path / "b.yaml", "epochs: 3\nlr: 3\n")
    config = load_config(
        ToyConfig,
        recipe=str(recipe),
        files=[first, second],
        environment={"AUGLIFT_LR": "4", "AUGLIFT_EPOCHS": "4", "AUGLIFT_MODEL__KIND": "poseformer"},
        sets=["epochs=5"],
        flags={"datasets": ["h36m"], "device": "cpu", "shard": None, "model.channels": 6},
    )
    assert config == ToyConfig(
        root=Path("r1"),
        device="cpu",
        epochs=5,
        lr=4.0,
        datasets=("h36m",),
        model=ModelSection(channels=6, kind="poseformer"),
    )


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUGLIFT_EPOCHS", "77")
    assert load_config(ToyConfig).epochs == 77


def test_base_files_come_first_and_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write(tmp_path / "root.yaml", "epochs: 1\nlr: 1\n")
    write(tmp_path / "deep" / "middle.yaml", "base: ../root.yaml\nlr: 2\n")
    leaf = write(tmp_path / "leaf.yaml", "base: [deep/middle.yaml]\nshard: 3/20\n")
    config = load_config(ToyConfig, files=[leaf])
    assert (config.epochs, config.lr, config.shard) == (1, 2.0, "3/20")
    assert [p.name for p in with_bases(leaf)] == ["root.yaml", "middle.yaml", "leaf.yaml"]


def test_a_cyclic_base_names_the_whole_circle(tmp_path: Path) -> None:
    one = write(tmp_path / "one.yaml", "base: two.yaml\n")
    write(tmp_path / "two.yaml", "base: one.yaml\n")
    with pytest.raises(ConfigError) as caught:
        load_config(ToyConfig, files=[one])
    assert caught.value.exit_code == 2
    names = [Path(part).name for part in (caught.value.where or "").split(" → ")]
    assert names == ["one.yaml", "two.yaml", "one.yaml"]


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ("epoch=3", "Did you mean: 'epochs'"),
        ("model.chanels=3", "Did you mean: 'channels'"),
        ("model.kind=tcm", "expected one of ['tcn', 'poseformer']"),
        ("lr=fast", "could not be converted to Float"),
        ("datasets=h36m", "datasets"),
        ("epochs=0", "at least 1"),
        ("epochs", "has no value"),
        ("epochs=[1", "not readable"),
    ],
)
def test_a_wrong_set_says_what_is_wrong(item: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(ToyConfig, sets=[item])
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_error_names_the_source_it_came_from(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", "epoch: 3\n")
    with pytest.raises(ConfigError) as caught:
        load_config(ToyConfig, files=[path])
    assert str(path) in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        load_config(ToyConfig, environment={"AUGLIFT_EPOCHS": "many"})
    assert "AUGLIFT_EPOCHS" in str(caught.value)


@pytest.mark.parametrize("content", ["a: [1", "- 1\n- 2\n", "\x00", "epochs: 1\nepochs: 2\n"])
def test_an_unreadable_file_is_a_clear_error(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / "broken.yaml", content)
    with pytest.raises(ConfigError) as caught:
        load_config(ToyConfig, files=[path])
    assert str(path) in str(caught.value)


def test_missing_files_and_unknown_recipes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such config file"):
        load_config(ToyConfig, files=[tmp_path / "nowhere.yaml"])
    with pytest.raises(UsageError, match="unknown recipe 'nosuch'"):
        load_config(ToyConfig, recipe="nosuch")


def test_yaml_reads_back_to_an_equal_config(tmp_path: Path) -> None:
    config = ToyConfig(root=tmp_path / "ünï", datasets=("a", "b"), model=ModelSection(channels=3))
    path = write(tmp_path / "config.yaml", as_yaml(config))
    assert load_config(ToyConfig, files=[path]) == config


def test_the_hash_sees_results_and_ignores_places(tmp_path: Path) -> None:
    config = ToyConfig()
    assert config_hash(config) == config_hash(ToyConfig(root=tmp_path, device="cuda", dry_run=True))
    assert config_hash(config) != config_hash(ToyConfig(epochs=11))
    assert config_hash(config) != config_hash(ToyConfig(model=ModelSection(channels=3)))


def test_a_word_that_yaml_takes_for_a_boolean_stays_a_word() -> None:
    from auglift.train import TrainConfig

    config = load_config(TrainConfig, sets=["depth=true", "curves=false"])
    assert config.depth == "true"
    assert config.curves is False
