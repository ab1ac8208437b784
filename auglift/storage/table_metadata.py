"""What a table says about itself: one JSON document in the Parquet file's metadata.

Names the schema, skeletons, frame rates, models, providers and config that made the rows, so that
any other program can read the file: `pyarrow.parquet.read_schema(path).metadata[b"auglift"]`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from auglift import __version__
from auglift.errors import AugliftError, DataError, SchemaError, unknown_name
from auglift.geometry.camera import Distortion
from auglift.geometry.skeleton import get_skeleton
from auglift.storage.schemas import FIXED_SIZES, Column, Schema, get_schema

METADATA_KEY = b"auglift"
NOTE_KEY = b"auglift.note"
"""Of a text that was not known before the rows were written."""


@dataclass(frozen=True)
class ModelRecord:
    """Which weights were used."""

    id: str
    """The name on its card in the model zoo, or the file's name."""
    sha256: str


@dataclass(frozen=True, kw_only=True)
class TableMetadata:
    """Everything about a table that is not in its rows."""

    kind: str
    """annotations, detections or xycd: a key of `schemas.SCHEMAS`."""
    skeleton: str
    """Of the joints (J)."""
    fps: float | Mapping[str, float]
    """Pictures per second: of the sources of all sequences, or of each by name."""
    dataset: str = ""
    detector_skeleton: str | None = None
    """Of the detector's own keypoints (K)."""
    n_features: int = 0
    """F; 0 means that there is no column `features`."""
    distortion: Distortion | None = None
    """The formula that the last five intrinsics belong to; tables with cameras must name it."""
    models: Mapping[str, ModelRecord] = field(default_factory=dict)
    """What each served for (people, poses2d, depth) and which it was."""
    providers: tuple[str, ...] = ()
    """ONNX Runtime's providers that ran."""
    config: Mapping[str, Any] = field(default_factory=dict)
    config_hash: str = ""
    auglift: str = __version__
    """The version that wrote the rows."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the writer wants to keep, JSON-ready."""

    def __post_init__(self) -> None:
        schema = get_schema(self.kind)
        get_skeleton(self.skeleton)
        if self.detector_skeleton is not None:
            get_skeleton(self.detector_skeleton)
        elif schema.has("keypoint"):
            raise SchemaError(f"{self.kind} need the name of their detector's skeleton")
        if schema.has("intrinsic") and self.distortion not in get_args(Distortion):
            raise unknown_name("distortion", str(self.distortion), get_args(Distortion))
        if not all(rate > 0 for rate in self._rates()):
            raise DataError(f"a frame rate must be positive, but fps is {self.fps}")

    @property
    def schema(self) -> Schema:
        """The columns of this kind of table."""
        return get_schema(self.kind)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of this very table: with `features` only if it has any."""
        return tuple(c for c in self.schema.columns if self.n_features or not c.optional)

    def shape(self, column: Column) -> tuple[int, ...]:
        """What one row of `column` holds, () for a single value."""
        sizes = dict(FIXED_SIZES, joint=get_skeleton(self.skeleton).n_joints)
        if self.detector_skeleton is not None:
            sizes["keypoint"] = get_skeleton(self.detector_skeleton).n_joints
        sizes["feature"] = self.n_features
        return tuple(sizes[dim] for dim in column.dims)

    def fps_of(self, sequence: str) -> float:
        """The frame rate of one sequence."""
        if not isinstance(self.fps, Mapping):
            return self.fps
        if sequence not in self.fps:
            raise DataError(f"the table names no frame rate of sequence '{sequence}'")
        return self.fps[sequence]

    def to_json(self) -> str:
        """The same text for the same metadata, units included."""
        document = {
            "schema": self.kind,
            "version": self.schema.version,
            "units": {c.name: c.unit for c in self.columns if c.unit},
            **{name: value for name, value in asdict(self).items() if name != "kind"},
        }
        return json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)

    def _rates(self) -> list[float]:
        return list(self.fps.values()) if isinstance(self.fps, Mapping) else [self.fps]


def from_json(text: str, kind: str) -> TableMetadata:
    """Read `to_json`'s text, which must be of a table of this kind in today's version."""
    schema = get_schema(kind)
    again = f"the command that writes {kind}: {schema.written_by}"
    try:
        document = json.loads(text)
        found, version = document["schema"], document["version"]
    except (ValueError, TypeError, KeyError) as error:
        raise SchemaError("its metadata is not auglift's", hint=again) from error
    if found != kind:
        raise SchemaError(f"a table of the kind {found}; wanted: {kind}", hint=again)
    if version != schema.version:
        raise _other_version(schema, version)
    try:
        metadata = _parse(document)
        units = {c.name: c.unit for c in metadata.columns if c.unit}
        if document["units"] != units:
            raise SchemaError(f"its units are {document['units']}, not {units}")
    except (KeyError, TypeError, ValueError, AttributeError, AugliftError) as error:
        raise SchemaError(f"its metadata cannot be used: {error}", hint=again) from error
    return metadata


def combined(parts: Mapping[Path, TableMetadata]) -> TableMetadata:
    """The metadata of several files read as one table; what must not differ is named if it does.

    Providers and versions may differ, because machines do, and are collected; frame rates are put
    together; of `extra` stays what all say.
    """
    (first_path, first), *others = parts.items()
    for path, other in others:
        for name in _MUST_AGREE:
            one, another = getattr(first, name), getattr(other, name)
            if one != another:
                raise _disagreement(name, {first_path: one, path: another})
    everyone = list(parts.values())
    return replace(
        first,
        fps=_combined_fps(parts),
        providers=tuple(dict.fromkeys(p for m in everyone for p in m.providers)),
        auglift=", ".join(sorted({m.auglift for m in everyone})),
        extra={
            key: value
            for key, value in first.extra.items()
            if all(key in m.extra and m.extra[key] == value for m in everyone)
        },
    )


# Not `config`: folders and devices in it may differ; `config_hash` covers what affects the rows.
_MUST_AGREE = (
    "kind", "dataset", "skeleton", "detector_skeleton", "n_features", "distortion", "models",
    "config_hash",
)  # fmt: skip


def _combined_fps(parts: Mapping[Path, TableMetadata]) -> float | Mapping[str, float]:
    """One rate that all share, or the rates of all sequences."""
    (first_path, first), *others = parts.items()
    different = {path: other.fps for path, other in others if other.fps != first.fps}
    if not different:
        return first.fps
    said: dict[str, tuple[float, Path]] = {}
    for path, fps in {first_path: first.fps, **different}.items():
        if not isinstance(fps, Mapping):
            odd = next(iter(different)) if path == first_path else path
            raise _disagreement("fps", {first_path: first.fps, odd: different[odd]})
        for sequence, rate in fps.items():
            known, known_path = said.setdefault(sequence, (rate, path))
            if known != rate:
                raise _disagreement(f"fps of '{sequence}'", {known_path: known, path: rate})
    return {sequence: rate for sequence, (rate, _) in said.items()}


def _disagreement(name: str, values: Mapping[Path, object]) -> SchemaError:
    found = " and ".join(f"{value!r} in {path}" for path, value in values.items())
    return SchemaError(
        f"these files are no one table: {name} is {found}",
        hint="read them one by one, or write them again with the same settings",
    )


def _other_version(schema: Schema, version: object) -> SchemaError:
    newer = isinstance(version, int) and version > schema.version
    update = "update auglift (pip install -U auglift), or " if newer else ""
    return SchemaError(
        f"{schema.kind} of {'newer ' if newer else 'older '}version {version}; "
        f"this auglift reads version {schema.version}",
        hint=f"{update}write it again: {schema.written_by}",
    )


def _parse(document: Mapping[str, Any]) -> TableMetadata:
    values = {f.name: document[f.name] for f in fields(TableMetadata) if f.name != "kind"}
    values["models"] = {role: ModelRecord(**m) for role, m in values["models"].items()}
    values["providers"] = tuple(values["providers"])
    return TableMetadata(kind=document["schema"], **values)
