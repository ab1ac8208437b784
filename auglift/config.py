"""Configuration: typed dataclasses, filled from files, the environment and flags.

A config class is a frozen, keyword-only dataclass whose attributes have docstrings; nested
dataclasses are sections. Later sources win:

    defaults < --recipe < --config a.yaml --config b.yaml < AUGLIFT_* < --set key=value < flags

A file may name the file(s) it builds on with `base:`. Nothing here is imported from the rooms, and
OmegaConf only inside functions, so that a config class costs nothing to import.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from auglift.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from omegaconf import DictConfig

T = TypeVar("T")
C = TypeVar("C")

ENVIRONMENT_PREFIX = "AUGLIFT_"


# Two letters at least: `C:/` is a drive.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)")


def setting(default: T, *, affects_result: bool = True, may_be_address: bool = False) -> T:
    """A config field; one that does not affect the result (a folder) is left out of the hash.

    A path lies on a disk, or else (`may_be_address`) in an object store too.
    """
    return field(
        default=default,
        metadata={"affects_result": affects_result, "may_be_address": may_be_address},
    )


def section(config_class: Callable[[], T]) -> T:
    """A nested config, filled with its own defaults."""
    return field(default_factory=config_class)


@dataclass(frozen=True, kw_only=True)
class StageConfig:
    """What every stage can be told."""

    root: Path = setting(Path("."), affects_result=False)
    """Folder below which data, tables and runs have their default places."""

    device: str = setting("auto", affects_result=False)
    """auto, cpu, cuda, cuda:1, mps: where networks run (a stage without networks ignores it)."""

    overwrite: bool = setting(False, affects_result=False)
    """Do again what is already done, instead of resuming."""

    dry_run: bool = setting(False, affects_result=False)
    """Only say what would be done."""


def load_config(
    config_class: type[C],
    *,
    recipe: str | None = None,
    files: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, object] | None = None,
) -> C:
    """Merge all sources into one `config_class`; `flags` may name nested keys with dots.

    A flag whose value is None was not given and says nothing.
    """
    from omegaconf import OmegaConf

    merged = OmegaConf.structured(config_class)
    paths = ([recipe_path(recipe)] if recipe else []) + list(files)
    for path in paths:
        for source in with_bases(path):
            merged = _merge(merged, _read_yaml(source), f"file {source}")
    for name, key in _environment_keys(config_class).items():
        value = (os.environ if environment is None else environment).get(name)
        if value is not None:
            merged = _merge(merged, _from_dots([f"{key}={value}"]), f"environment variable {name}")
    for item in sets:
        if "=" not in item:
            raise ConfigError(f"--set {item} has no value", hint="write --set key=value")
        merged = _merge(merged, _from_dots([item]), f"--set {item}")
    for key, flag in (flags or {}).items():
        if flag is not None:
            tree = OmegaConf.create()
            OmegaConf.update(tree, key, _plain(flag))
            merged = _merge(merged, tree, f"--{key.replace('_', '-')}")
    config = cast(C, OmegaConf.to_object(merged))
    _refuse_addresses(config)
    return config


def as_address(text: str | Path) -> str | None:
    """`s3://bucket/key`, of whose slashes a `Path` keeps one; None where a disk is meant."""
    found = _ADDRESS.fullmatch(str(text))
    return f"{found[1]}://{found[2]}" if found else None


def as_dict(config: object) -> dict[str, Any]:
    """The config as plain, JSON- and YAML-ready values."""
    return {f.name: _plain(getattr(config, f.name)) for f in fields(cast(Any, config))}


def as_yaml(config: object) -> str:
    """The config as a YAML text that `load_config` reads back to an equal config."""
    import yaml

    return yaml.safe_dump(as_dict(config), sort_keys=False, allow_unicode=True)


def config_hash(config: object) -> str:
    """Twelve hex digits over every value that affects the result."""
    text = json.dumps(_hashed(config), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def with_bases(path: Path, _above: tuple[Path, ...] = ()) -> list[Path]:
    """`path` preceded by the files that its `base:` names (relative to it), outermost first."""
    path = path.resolve()
    if path in _above:
        chain = " → ".join(str(p) for p in (*_above[_above.index(path) :], path))
        raise ConfigError("`base:` goes round in a circle", where=chain, hint="break the circle")
    bases = _read_yaml(path, keep_base=True).get("base") or []
    names = [bases] if isinstance(bases, str) else list(bases)
    found: list[Path] = []
    for name in names:
        found += [p for p in with_bases(path.parent / name, (*_above, path)) if p not in found]
    return [*found, path]


def models_zoo_folder() -> Path:
    """Cards and recipes: inside the installed package, or beside it in a clone."""
    package = Path(__file__).resolve().parent
    inside = package / "models_zoo"
    return inside if inside.is_dir() else package.parent / "models_zoo"


def recipe_path(name: str) -> Path:
    """The YAML file of a recipe: a path, or a name in `models_zoo/recipes/`."""
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    folder = models_zoo_folder() / "recipes"
    path = folder / f"{name}.yaml"
    if not path.is_file():
        raise unknown_name("recipe", name, (p.stem for p in folder.glob("*.yaml")))
    return path


def _merge(base: DictConfig, change: DictConfig, source: str) -> DictConfig:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        return cast("DictConfig", OmegaConf.merge(base, _as_words(change, base)))
    except OmegaConfBaseException as error:
        what = str(error).splitlines()[0]
        key = getattr(error, "full_key", None)
        raise ConfigError(
            f"{key}: {what}" if key and key not in what else what,
            where=source,
            hint="--show-config prints every key with its value",
        ) from error


def _as_words(change: DictConfig, base: DictConfig) -> DictConfig:
    """`depth=true` is a word where the setting has words for values, not YAML's boolean."""
    from omegaconf import DictConfig

    for key in change:
        value, before = change[key], base.get(key)
        if isinstance(value, DictConfig) and isinstance(before, DictConfig):
            _as_words(value, before)
        elif isinstance(value, bool) and isinstance(before, str):
            change[key] = str(value).lower()
    return change


def _refuse_addresses(config: object) -> None:
    """Or a folder `s3:` would be made where the command happens to run."""
    for f in fields(cast(Any, config)):
        value = getattr(config, f.name)
        if isinstance(value, Path) and as_address(value) and not f.metadata.get("may_be_address"):
            raise ConfigError(
                f"{f.name} has to lie on a disk",
                where=as_address(value),
                hint="tables and runs may lie in an object store; pictures, videos, models and "
                "reports may not",
            )


def _read_yaml(path: Path, keep_base: bool = False) -> DictConfig:
    import yaml
    from omegaconf import DictConfig, OmegaConf

    try:
        with path.open(encoding="utf-8") as file:
            tree = OmegaConf.load(file)
    except FileNotFoundError as error:
        raise ConfigError("no such config file", where=path) from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"not readable as YAML: {error}", where=path) from error
    if not isinstance(tree, DictConfig):
        raise ConfigError("a config file holds `key: value` lines", where=path)
    if not keep_base:
        tree.pop("base", None)
    return tree


def _from_dots(items: list[str]) -> DictConfig:
    import yaml
    from omegaconf import OmegaConf

    try:
        return OmegaConf.from_dotlist(items)
    except yaml.YAMLError as error:
        raise ConfigError("value is not readable as YAML", where=", ".join(items)) from error


def _environment_keys(config_class: type) -> dict[str, str]:
    """Variable → key: `AUGLIFT_DEVICE` → device, `AUGLIFT_MODEL__LAYERS` → model.layers."""
    return {ENVIRONMENT_PREFIX + key.replace(".", "__").upper(): key for key in _keys(config_class)}


def _keys(config_class: type, prefix: str = "") -> Iterable[str]:
    for f in fields(config_class):
        yield prefix + f.name
        nested: object = f.default_factory
        if isinstance(nested, type) and is_dataclass(nested):
            yield from _keys(nested, f"{prefix}{f.name}.")


def _hashed(config: object) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for f in fields(cast(Any, config)):
        value = getattr(config, f.name)
        if is_dataclass(value):
            values[f.name] = _hashed(value)
        elif f.metadata.get("affects_result", True):
            values[f.name] = _plain(value)
    return values


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return as_dict(value)
    if isinstance(value, Path):
        return as_address(value) or str(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
