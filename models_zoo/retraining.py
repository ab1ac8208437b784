"""How an embedded lifter is made again: recipes of its data and of its training, and the command.

In:  what a run was told, and what the tables say of themselves that it has learned from.
Out: the texts of `models_zoo/recipes/<name>.yaml` and `models_zoo/recipes/data/<data>.yaml`, and
     one line for a shell.

Recipes hold all settings: those that are defaults today may not be tomorrow.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from auglift.errors import DataError
from auglift.simulate import SimulateConfig
from auglift.storage.atomic import write_text
from auglift.storage.provenance import lasting_settings
from auglift.storage.table_metadata import TableMetadata
from auglift.train import TrainConfig

DATA_RECIPES = Path("recipes", "data")
"""Below the zoo, and apart from recipes of trainings, which have names on the command line."""


class DataRecipe(NamedTuple):
    """What `auglift simulate` was told of one data set."""

    file: Path
    """Below the zoo; lifters that learned from the same data share it."""
    text: str
    motion: tuple[str, ...]
    """Names of the motion files, which lie elsewhere on every machine."""


def training_recipe(name: str, config: TrainConfig) -> str:
    """All settings of a run."""
    return _about(name, "train") + yaml_text(lasting_settings(config))


def data_recipe(dataset: str, metadata: TableMetadata) -> DataRecipe:
    """All settings that made a table, from its own words."""
    if not metadata.extra.get("simulated"):
        raise DataError(f"the table of {dataset} was not made by auglift simulate")
    settings = _in_order(metadata.config, lasting_settings(SimulateConfig()))
    return DataRecipe(
        DATA_RECIPES / f"{dataset}-{settings_hash(settings)}.yaml",
        _about(dataset, "simulate") + yaml_text(settings),
        tuple(metadata.extra.get("motion", ())),
    )


def settings_hash(settings: Mapping[str, Any]) -> str:
    """Twelve hex digits: of what simulate wrote, those with which its `config_hash` begins."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write_data_recipe(zoo: Path, recipe: DataRecipe) -> None:
    """Write it once: what is there stays as it is, as other lifters' commands name it, too."""
    import yaml

    path = zoo / recipe.file
    if not path.is_file():
        write_text(path, recipe.text)
    elif yaml.safe_load(path.read_text(encoding="utf-8")) != yaml.safe_load(recipe.text):
        raise DataError(
            "this recipe was changed: it no longer holds the settings that its name stands for",
            where=path,
            hint="git checkout it, or remove it to have it written again",
        )


def retrain_command(name: str, run: str, tables: Mapping[str, TableMetadata]) -> str:
    """One line for a shell: simulate every table, train, and make the lifter."""
    made = [simulate_command(data_recipe(*table)) for table in tables.items()]
    again = f"python models_zoo/make_lifter.py {shlex.quote(run)} --name {name}"
    train = f"auglift train --recipe {name} --set name={shlex.quote(run)}"
    return " && ".join([*made, train, again])


def simulate_command(recipe: DataRecipe) -> str:
    """The command that made a table; the motion files by name, without their places."""
    words = ["auglift", "simulate", "-c", f"models_zoo/{recipe.file.as_posix()}"]
    for motion in recipe.motion:
        words += ["--motion", motion]
    return shlex.join(words)


def yaml_text(tree: Mapping[str, Any]) -> str:
    """Plain values as cards and recipes are written."""
    import yaml

    return yaml.safe_dump(
        dict(tree), sort_keys=False, allow_unicode=True, width=98, default_flow_style=None
    )


def _about(name: str, verb: str) -> str:
    return f"# {name}: what `auglift {verb}` was told. Written by models_zoo/make_lifter.py.\n"


def _in_order(settings: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    """As a config class lists them, where tables list them by the alphabet."""
    ordered: dict[str, Any] = {}
    for key in (*(key for key in like if key in settings), *settings):
        value, known = settings[key], like.get(key)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            value = _in_order(value, known)
        ordered[key] = value
    return ordered
