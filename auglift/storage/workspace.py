"""Where everything lies, below one root; and what is there, so that commands need few flags.

    h36m_data/ 3dpw_data/ fit3d_data/ data/ virtual_data/          raw data (data/ is 3DHP's)
    auglift_data/<dataset>/annotations/<split>.parquet
    auglift_data/<dataset>/detections/*.parquet
    auglift_data/<dataset>/<dataset>_xycd_<split>.parquet          .npz: for other programs
    work_dirs/<run>/{config.yaml, best_model.safetensors, last_checkpoint,
                     epoch_*.safetensors, logs/scalars.json}

The root may be an address (`s3://bucket/project`), where tables and runs lie; raw data may not.

`find_dataset` and `find_run` choose what a command was not told: the only dataset with the table,
the newest run. They say why, for the command to print; where there is nothing, or too much to
choose from, the error lists it and names the command to type next.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from auglift.errors import MissingDataError, UsageError, unknown_name
from auglift.storage.addresses import place
from auglift.storage.remote_path import RemotePath
from auglift.storage.run_folder import RunFolder
from auglift.storage.schemas import SCHEMAS, get_schema

RAW_FOLDERS = {
    "h36m": "h36m_data",
    "3dpw": "3dpw_data",
    "3dhp": "data",
    "fit3d": "fit3d_data",
    "virtual": "virtual_data",
}
"""The datasets that `preprocess` knows, and where their raw files are put."""

TABLES_FOLDER = "auglift_data"
RUNS_FOLDER = "work_dirs"


@dataclass(frozen=True)
class DatasetChoice:
    """A dataset and why it was chosen."""

    dataset: str
    why: str


@dataclass(frozen=True)
class RunChoice:
    """A run and why it was chosen."""

    run: RunFolder
    why: str


@dataclass(frozen=True)
class Workspace:
    """The default places below `root`, and what is there."""

    root: Path = Path()

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", place(self.root))

    # ------------------------------------------------------------------------------ places

    def raw_folder(self, dataset: str) -> Path:
        """Where the raw files of a dataset lie."""
        if isinstance(self.root, RemotePath):
            raise UsageError(
                "raw data has to lie on a disk: pictures and videos are not read from addresses",
                where=self.root,
                hint="--root FOLDER on a disk; or name the raw folder: --data FOLDER",
            )
        return self.root / RAW_FOLDERS.get(_plain("dataset", dataset), f"{dataset}_data")

    def annotations_folder(self, dataset: str) -> Path:
        """Where all annotations of a dataset lie, one file per split."""
        return self._tables(dataset) / "annotations"

    def annotations(self, dataset: str, split: str) -> Path:
        """The annotations of one split."""
        return self.annotations_folder(dataset) / f"{_plain('split', split)}.parquet"

    def detections_folder(self, dataset: str) -> Path:
        """Where the detections of a dataset lie, in parts."""
        return self._tables(dataset) / "detections"

    def xycd(self, dataset: str, split: str) -> Path:
        """The table that training and evaluation read."""
        return self._tables(dataset) / f"{dataset}_xycd_{_plain('split', split)}.parquet"

    def xycd_npz(self, dataset: str, split: str) -> Path:
        """The same for other programs, under the name that they expect."""
        return self.xycd(dataset, split).with_suffix(".npz")

    def xycd_there(self, dataset: str, split: str) -> Path:
        """Whichever of the two is there; the table, if both or neither are."""
        table, exchanged = self.xycd(dataset, split), self.xycd_npz(dataset, split)
        return exchanged if exchanged.is_file() and not table.is_file() else table

    def run(self, name: str) -> RunFolder:
        """A run by its name."""
        return RunFolder(self.root / RUNS_FOLDER / _plain("run", name))

    # ------------------------------------------------------------------------------ contents

    def datasets(self) -> list[str]:
        """Every dataset that has a table of any kind, in alphabetical order."""
        folders = (p for p in (self.root / TABLES_FOLDER).glob("*") if p.is_dir())
        names = sorted(p.name for p in folders if _is_plain(p.name))
        return [name for name in names if any(self.splits(name, kind) for kind in SCHEMAS)]

    def datasets_with(self, kind: str, split: str | None = None) -> list[str]:
        """The datasets that have this kind of table (of this split), in alphabetical order."""
        found = {name: self.splits(name, kind) for name in self.datasets()}
        return [name for name, splits in found.items() if (split in splits if split else splits)]

    def splits(self, dataset: str, kind: str) -> list[str]:
        """The splits that a dataset has this kind of table of (of detections: their parts)."""
        folder, prefix, suffixes = self._tables(dataset) / kind, "", {".parquet"}
        if get_schema(kind).kind == "xycd":  # which may also be another program's
            folder, prefix, suffixes = (
                self._tables(dataset),
                f"{dataset}_xycd_",
                {".parquet", ".npz"},
            )
        # Hidden files are half-written ones, or some system's notes.
        paths = (p for p in folder.glob("[!.]*") if p.suffix in suffixes)
        return sorted({p.stem.removeprefix(prefix) for p in paths if p.stem.startswith(prefix)})

    def runs(self) -> list[RunFolder]:
        """All runs that have weights, the newest last."""
        runs = [RunFolder(path) for path in sorted((self.root / RUNS_FOLDER).glob("*"))]
        times = {run: run.model.stat().st_mtime_ns for run in runs if run.model}
        return sorted(times, key=lambda run: times[run])

    # ------------------------------------------------------------------------------ choices

    def check_dataset(self, dataset: str) -> None:
        """Raise unless `preprocess` knows this dataset or it has a table here."""
        if dataset not in RAW_FOLDERS and dataset not in self.datasets():
            raise unknown_name("dataset", dataset, {*RAW_FOLDERS, *self.datasets()})

    def find_dataset(
        self, kind: str, dataset: str | None = None, split: str | None = None
    ) -> DatasetChoice:
        """The dataset that was asked for, or else the only one, with this kind of table."""
        found = self.datasets_with(kind, split)
        if dataset is not None:
            self.check_dataset(dataset)
            if dataset in found:
                return DatasetChoice(dataset, "as asked")
        elif len(found) == 1:
            return DatasetChoice(found[0], f"the only dataset with {_table(kind, split, 'an ')}")
        elif found:
            raise MissingDataError(
                f"several datasets have {_table(kind, split, 'an ')}: {', '.join(found)}",
                where=self.root / TABLES_FOLDER,
                hint="say which: " + " or ".join(f"--dataset {name}" for name in found),
            )
        raise self._no_table(kind, dataset, split)

    def find_run(self, run: str | None = None) -> RunChoice:
        """The run that was asked for, by name or folder, or else the newest."""
        runs = self.runs()
        if run is not None:
            for folder in (RunFolder(self.root / RUNS_FOLDER / run), RunFolder(place(run))):
                if folder.model is not None:
                    return RunChoice(folder, "as asked")
            what = f"no run '{run}' with weights"
        elif runs:
            why = "the only run" if len(runs) == 1 else f"the newest of {len(runs)} runs"
            return RunChoice(runs[-1], why)
        else:
            what = "no run with weights"
        there = f"; there are: {', '.join(r.name for r in runs)}" if runs else ""
        raise MissingDataError(
            what + there, where=self.root / RUNS_FOLDER, hint=self.next_step("run")
        )

    def next_step(self, goal: str, dataset: str | None = None) -> str:
        """The command to type on the way to `goal` (a kind of table, or a run) from what is there.

        Where several datasets are as far, it names the first and mentions the others.
        """
        verb, datasets = self._next_verb(goal, [dataset] if dataset else self.datasets())
        if verb == "preprocess" and dataset is None:
            raw = [name for name, folder in RAW_FOLDERS.items() if (self.root / folder).is_dir()]
            # The virtual dataset is the one that needs nobody's permission.
            datasets = raw or ["virtual", *(name for name in RAW_FOLDERS if name != "virtual")]
        which = (
            "" if verb.startswith("train") and len(datasets) == 1 else f" --dataset {datasets[0]}"
        )
        at_root = "" if self.root == Path() else f" --root {shlex.quote(str(self.root))}"
        if isinstance(self.root, RemotePath) and verb in ("preprocess", "detect-depth"):
            at_root = f" on a disk, and copy its auglift_data/ to {self.root}/"
        others = f" (or {', '.join(datasets[1:])})" if len(datasets) > 1 else ""
        return f"auglift {verb}{which}{at_root}{others}"

    def _next_verb(self, goal: str, candidates: list[str]) -> tuple[str, list[str]]:
        """The verb, and those of the candidates that it can do."""
        merged = [name for name in candidates if "train" in self.splits(name, "xycd")]
        if merged and goal == "run":
            return "train --arch tcn --variant casp", merged
        annotated = [name for name in candidates if self.splits(name, "annotations")]
        detected = [name for name in annotated if self.splits(name, "detections")]
        if detected and goal in ("run", "xycd"):
            return "merge", detected
        if annotated and goal != "annotations":
            return "detect-depth", annotated
        return "preprocess", candidates

    def _no_table(self, kind: str, dataset: str | None, split: str | None) -> MissingDataError:
        splits = self.splits(dataset, kind) if dataset else []
        if splits:
            there, hint = splits, f"{get_schema(kind).written_by} writes every annotated split"
        else:
            there = [
                f"{other} of {', '.join(names)}"
                for other in SCHEMAS
                if (names := self.datasets_with(other))
            ]
            hint = self.next_step(kind, dataset)
        return MissingDataError(
            f"no {_table(kind, split)} of {dataset or 'any dataset'}"
            + (f"; there are: {'; '.join(there)}" if there else ""),
            where=self._tables(dataset) if dataset else self.root / TABLES_FOLDER,
            hint=hint,
        )

    def _tables(self, dataset: str) -> Path:
        return self.root / TABLES_FOLDER / _plain("dataset", dataset)


def _table(kind: str, split: str | None, article: str = "") -> str:
    name = f"{article}xycd table" if kind == "xycd" else kind
    return f"{name} for '{split}'" if split else name


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"\w[\w .+=-]*", name) is not None


def _plain(what: str, name: str) -> str:
    """`name`, if it names one folder or file and no way out of it."""
    if not _is_plain(name):
        known = f"; known datasets: {', '.join(RAW_FOLDERS)}" if what == "dataset" else ""
        raise UsageError(
            f"'{name}' cannot be the name of a {what}",
            hint=f"a name begins with a letter or digit and holds no slash{known}",
        )
    return name
