"""`auglift view`: a contact sheet of annotations.

In: an `annotations` table (by path, or by dataset and split) and the dataset's raw pictures. Out:
a PNG of frames with the true 2D skeleton drawn in and the true 3D pose beside it from two sides,
so that a mix-up of left and right, of axes or of cameras is seen at a glance.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auglift.config import StageConfig, setting
from auglift.errors import ConfigError, DataError, UsageError
from auglift.executors import Progress, silent
from auglift.storage.workspace import TABLES_FOLDER, Workspace

if TYPE_CHECKING:
    from auglift.geometry.skeleton import Skeleton
    from auglift.outputs.contact_sheet import Tile
    from auglift.outputs.overlay import Picture
    from auglift.storage.tables import Table

COLUMNS = ["source", "image_wh", "keypoints_2d", "pose_3d", "visible", "action"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ViewConfig(StageConfig):
    """What to look at."""

    table: Path | None = setting(None)
    """An annotations table; default: that of `dataset` and `split`."""

    dataset: str | None = setting(None)
    """Dataset; may be left out where only one has annotations."""

    split: str | None = setting(None)
    """Its split; default: the first that is there."""

    data: Path | None = setting(None)
    """The dataset's raw folder, where it is not at its default place."""

    output: Path | None = setting(None)
    """The sheet; default: beside the table, `<stem>_sheet.png`."""

    tiles: int = setting(12)
    """Frames on the sheet, of as many sequences as there are."""

    columns: int = setting(4)
    """Frames in a row."""

    def __post_init__(self) -> None:
        if self.tiles < 1 or self.columns < 1:
            raise ConfigError("tiles and columns must be at least 1")


@dataclass(frozen=True)
class ViewResult:
    """Where the sheet is."""

    sheet: Path
    table: Path
    tiles: int


def view(config: ViewConfig, progress: Progress = silent) -> ViewResult:
    """Draw the sheet and write it."""
    from auglift.storage.pictures import write_picture

    workspace = Workspace(config.root)
    path = config.table or _chosen_table(workspace, config)
    output = config.output or path.with_name(f"{path.stem}_sheet.png")
    if output.exists() and not config.overwrite:
        raise UsageError(
            "this sheet is there already", where=output, hint="--overwrite, or -o another.png"
        )
    data = config.data or raw_folder_of(path, workspace)
    tiles = tiles_of(path, data, config.tiles, progress)
    if not config.dry_run:
        from auglift.outputs.contact_sheet import contact_sheet

        write_picture(output, contact_sheet(tiles, min(config.columns, len(tiles))))
    return ViewResult(output, path, len(tiles))


def _chosen_table(workspace: Workspace, config: ViewConfig) -> Path:
    choice = workspace.find_dataset("annotations", config.dataset, config.split)
    logger.info("dataset %s: %s", choice.dataset, choice.why)
    split = config.split or workspace.splits(choice.dataset, "annotations")[0]
    return workspace.annotations(choice.dataset, split)


def raw_folder_of(path: Path, workspace: Workspace) -> Path:
    """The raw folder of a table's dataset: in the workspace that the table lies in, if it does."""
    from auglift.storage.tables import table_info

    dataset = table_info(path, "annotations").metadata.dataset
    above = path.absolute().parents
    if len(above) > 3 and above[2].name == TABLES_FOLDER:
        workspace = Workspace(above[3])
    return workspace.raw_folder(dataset)


def tiles_of(path: Path, data: Path, n_tiles: int, progress: Progress = silent) -> list[Tile]:
    """Frames spread over the table's sequences, drawn."""
    from auglift.geometry.skeleton import get_skeleton
    from auglift.storage.tables import read_table

    table = read_table(path, "annotations", COLUMNS)
    if len(table) == 0:
        raise DataError("the table has no rows", where=path, hint="auglift preprocess writes it")
    skeleton = get_skeleton(table.metadata.skeleton)
    chosen = _spread(table, n_tiles)
    tiles = []
    with progress("draw", len(chosen), "frames") as advance:
        for rows in chosen:
            tiles.append(_tile(table, rows, data, skeleton))
            advance(note=tiles[-1].caption)
    return tiles


def _spread(table: Table, n_tiles: int) -> list[Any]:
    """Rows of everybody in some frames: sequences first, and then moments within them."""
    import numpy as np

    names = table.unique("sequence")
    picked = [names[i * len(names) // n_tiles] for i in range(min(n_tiles, len(names)))]
    if len(names) < n_tiles:
        picked = [names[i % len(names)] for i in range(n_tiles)]
    chosen = []
    for i, name in enumerate(picked):
        rows = np.flatnonzero(table["sequence"] == name)
        frames = np.unique(table["frame"][rows])
        # Another moment for every tile, so that one bad moment does not hide.
        frame = frames[(2 * i + 1) * len(frames) // (2 * len(picked))]
        chosen.append(rows[table["frame"][rows] == frame])
    return chosen


def _tile(table: Table, rows: Any, data: Path, skeleton: Skeleton) -> Tile:
    import numpy as np

    from auglift.outputs.contact_sheet import Tile
    from auglift.outputs.overlay import draw_overlay

    picture = _picture(data / str(table["source"][rows[0]]), int(table["frame"][rows[0]]))
    joints = table["keypoints_2d"][rows]
    pose = table["pose_3d"][rows]
    root = pose[:, skeleton.indices(*skeleton.root)].mean(axis=1, keepdims=True)
    trust = table["visible"][rows].astype(np.float32)
    overlay = draw_overlay(picture, joints, trust, pose - root, skeleton)
    sequence = str(table["sequence"][rows[0]]).partition("/")[2]
    return Tile(overlay, f"{sequence}  frame {table['frame'][rows[0]]}")


def _picture(source: Path, frame: int) -> Picture:
    from auglift.storage.sources import open_source

    for found in open_source(source).frames(wanted=[frame]):
        return found.picture
    raise DataError(f"there is no frame {frame}", where=source)
