"""From the tables of one or several datasets to what training learns from and validates on.

In: `xycd` tables of the train split (and of another one to validate on, if that is asked for).
Out: `Tables`, their rows as one `PoseData`, and the spec of the lifter to train. Validation takes
rows of *training* subjects unless told otherwise, so that the test set chooses nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from auglift.errors import ConfigError, DataError, UsageError
from auglift.geometry.skeleton import get_skeleton
from auglift.lifting.batches import POSE_CHANNELS, task_channels
from auglift.lifting.data import PoseData, load_pose_data, storage_device
from auglift.lifting.fitting import fit_spec
from auglift.lifting.models import arguments_of
from auglift.lifting.presets import resolve
from auglift.lifting.spec import DepthControl, FeatureConfig, LifterSpec
from auglift.storage.tables import Table, read_table
from auglift.storage.workspace import Workspace

Mask = npt.NDArray[np.bool_]

# What learning needs of every table, whatever the input is made of.
COLUMNS = (
    "subject", "image_wh", "intrinsics", "pose_3d", "visible", "detected", "joints_2d",
    "joint_confidence",
)  # fmt: skip

DEBUG_ROWS = 512


@dataclass(frozen=True)
class Tables:
    """The tables as they were read, and which of their rows are validated on."""

    learned: tuple[Table, ...]
    validation: tuple[Table, ...]

    @property
    def learned_rows(self) -> int:
        """Rows to learn from."""
        return sum(map(len, self.learned))

    @property
    def validation_rows(self) -> int:
        """Rows to validate on."""
        return sum(map(len, self.validation))

    def identity(self) -> str:
        """Twelve hex digits that change with the data."""
        facts = [
            [t.metadata.dataset, t.metadata.config_hash, t.metadata.extra.get("identity"), len(t)]
            for t in (*self.learned, *self.validation)
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

    def name_row(self, row: int) -> str:
        """Where a row to learn from comes from."""
        for table in self.learned:
            if row < len(table):
                return (
                    f"{table['sequence'][row]}, person {table['person'][row]}, "
                    f"frame {table['frame'][row]}"
                )
            row -= len(table)
        raise IndexError(row)


def _read_parquet(path: Path, columns: Sequence[str]) -> Table:
    return read_table(path, "xycd", columns)


def read_tables(
    workspace: Workspace,
    datasets: Sequence[str],
    columns: Sequence[str],
    val_split: str,
    val_subjects: Sequence[str],
    read_xycd: Callable[[Path, Sequence[str]], Table] = _read_parquet,
) -> Tables:
    """Read the datasets, and part them into rows to learn from and rows to validate on.

    `read_xycd` may know more kinds of files than Parquet.
    """
    wanted = list(dict.fromkeys((*COLUMNS, *columns)))

    def read(split: str) -> list[Table]:
        return [read_xycd(workspace.xycd_there(name, split), wanted) for name in datasets]

    learned = read("train")
    skeletons = {table.metadata.skeleton for table in learned}
    if len(skeletons) > 1:
        raise DataError(
            f"the tables have several skeletons: {', '.join(sorted(skeletons))}",
            hint="auglift preprocess and merge write all datasets in one: --set skeleton=h36m_17",
        )
    if val_split != "train":
        validation = read(val_split)
    else:
        masks = [validation_mask(table, val_subjects) for table in learned]
        validation = [t.select(mask) for t, mask in zip(learned, masks, strict=True)]
        learned = [t.select(~mask) for t, mask in zip(learned, masks, strict=True)]
    tables = Tables(tuple(learned), tuple(validation))
    _check_rows(tables, skeletons)
    return tables


def validation_mask(table: Table, val_subjects: Sequence[str]) -> Mask:
    """Rows (N,) of the validation subjects; a tenth of the tracks if there is one subject."""
    subjects = sorted(table.unique("subject"))
    chosen = tuple(val_subjects) or (tuple(subjects[-1:]) if len(subjects) > 1 else ())
    unknown = set(chosen) - set(subjects)
    if unknown:
        raise UsageError(
            f"no such training subject: {', '.join(sorted(unknown))}",
            hint=f"this table has {', '.join(subjects)}",
        )
    if chosen:
        return np.isin(table["subject"].astype(str), chosen)
    tracks = table.tracks()
    mask = np.zeros(len(table), bool)
    for track in tracks[-max(1, len(tracks) // 10) :]:
        mask[track.rows] = True
    if mask.all():  # a single track: its last tenth
        mask[: int(0.9 * len(table))] = False
    return mask


def few_rows(tables: Tables) -> Tables:
    """The beginning of each table, to see whether everything works."""
    some = slice(0, DEBUG_ROWS)
    return Tables(
        tuple(table.select(some) for table in tables.learned),
        tuple(table.select(some) for table in tables.validation),
    )


def load_tables(
    tables: Sequence[Table],
    device: str,
    place: Literal["auto", "device", "host"],
    depth: DepthControl,
    seed: int,
) -> PoseData:
    """Several tables' rows as one; `place` as in `storage_device`."""
    names = [name for name in tables[0].columns if tables[0][name].dtype != object]
    columns = {name: np.concatenate([table[name] for table in tables]) for name in names}
    starts, first = [], 0
    for table in tables:
        starts.append(table.track_start[:-1] + first)
        first += len(table)
    track_start = np.concatenate([*starts, [first]])
    track_fps = np.concatenate([table.track_fps for table in tables])
    where = storage_device(columns, device, place)
    return load_pose_data(columns, track_start, track_fps, where, depth, seed)


def make_spec(
    wanted: LifterSpec,
    tables: Tables,
    columns: Mapping[str, Tensor],
    *,
    frames: int | None,
    task: str,
    depth: DepthControl,
    val_split: str,
) -> LifterSpec:
    """The whole spec: its architecture by preset, and what its training rows say of it.

    `wanted.arch` may be a preset; `wanted.model` are the arguments that differ from it.
    """
    preset, metadata = resolve(wanted.arch), tables.learned[0].metadata
    facts = {
        "tables": [[t.metadata.dataset, len(t)] for t in tables.learned],
        "depth": depth,
        "task": task,
        "chosen_on": val_split,
    }
    spec = replace(wanted, skeleton=metadata.skeleton, data=facts, **_radius(metadata.config))
    spec = fit_spec(spec, columns, _feature_sizes(tables) if spec.features.uses_features else ())
    arguments = {
        "n_joints": columns["joints_2d"].shape[-2],
        "in_channels": task_channels(spec, task)[0],
        "frames": frames or preset.frames,
        **_of_the_skeleton(preset.arch, spec.skeleton),
        **_of_the_output(preset.arch, spec, task),
        **preset.arguments,
        **wanted.model,
    }
    around = _around(spec.features, task, bool(arguments.pop("depth_pathway", False)))
    return replace(spec, arch=preset.arch, model=arguments | around)


def _of_the_skeleton(arch: str, skeleton: str) -> dict[str, Any]:
    """The skeleton's name, for lifters that know its bones."""
    return {"skeleton": skeleton} if "skeleton" in arguments_of(arch) else {}


def _of_the_output(arch: str, spec: LifterSpec, task: str) -> dict[str, Any]:
    """Where it is not three numbers for every joint, which is every architecture's default."""
    _, n_out = task_channels(spec, task)
    if n_out != POSE_CHANNELS:
        return {"out_channels": n_out}
    if task != "2d3d" or spec.target.root == "kept":
        return {}
    if "out_joints" not in arguments_of(arch):
        raise ConfigError(
            f"{arch} puts out every joint that goes in: its root cannot be removed",
            hint="--set target.root=kept, or --arch tcn or simple",
        )
    return {"out_joints": get_skeleton(spec.skeleton).n_joints - 1}


def _feature_sizes(tables: Tables) -> tuple[int, ...]:
    """Widths of the groups of features, where the tables say them; all must say the same."""
    said = {tuple(t.metadata.extra.get("feature_sizes", ())) for t in tables.learned}
    if len(said) > 1:
        raise DataError(
            f"the tables' features are of different networks: {sorted(said)} numbers a joint",
            hint="auglift detect-depth with the same models for all data sets",
        )
    return said.pop()


def _around(features: FeatureConfig, task: str, depth_pathway: bool) -> dict[str, Any]:
    """What `build_model` is to put around the lifter: projected feature maps, a path for depth."""
    if depth_pathway and not (features.depth_channels and task != "3d3d"):
        raise ConfigError(
            f"model.depth_pathway is a path for depths, and {features.variant} ({task}) has none",
            hint="choose a variant with depth, such as casp",
        )
    around: dict[str, Any] = {}
    if depth_pathway:
        around["depth_channels"] = features.depth_channels
    if features.uses_features and task != "3d3d":
        around["feature_groups"] = features.feature_sizes
    return around


def _radius(settings: Mapping[str, Any]) -> dict[str, Any]:
    """How the table's discs were drawn: by detect-depth, or by simulate itself."""
    found = settings.get("detect_depth", settings)
    names = ("radius_rule", "r_min_px", "r_max_px")
    return {name: found[name] for name in names if name in found}


def _check_rows(tables: Tables, skeletons: set[str]) -> None:
    for table in tables.validation:
        if table.metadata.skeleton not in skeletons:
            raise DataError(
                f"the skeleton to validate on is {table.metadata.skeleton}, the one to learn is "
                f"{', '.join(skeletons)}"
            )
    if not tables.learned_rows:
        raise DataError(
            "no rows are left to learn from",
            hint="leave some subjects out of val_subjects, or look at auglift merge's summary",
        )
    if not any(table["detected"].any() for table in tables.learned):
        raise DataError(
            "nobody was detected in any row: there is nothing to learn from",
            hint="look at the summary of auglift merge",
        )
    if not any(table["detected"].any() for table in tables.validation):
        raise DataError(
            "there is nobody to validate on: nobody was detected in those rows",
            hint="choose other subjects: --set val_subjects=[S1]",
        )
