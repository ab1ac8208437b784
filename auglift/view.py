"""`auglift view`: a contact sheet of annotations.

In: an `annotations` table (by path, or by dataset and split) and the dataset's raw pictures; or a
folder that `auglift film` made, before there is a table. Out: a PNG of frames with the true 2D
skeleton drawn in and the true 3D pose beside it from two sides, so that a mix-up of left and right,
of axes or of cameras is seen at a glance. Frames whose pictures are not there are drawn on grey.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auglift.config import StageConfig, setting
from auglift.errors import ConfigError, MissingDataError, UsageError
from auglift.executors import Progress, silent
from auglift.storage.workspace import TABLES_FOLDER, Workspace

if TYPE_CHECKING:
    from auglift.geometry.skeleton import Skeleton
    from auglift.outputs.contact_sheet import Tile

COLUMNS = ["source", "image_wh", "keypoints_2d", "pose_3d", "visible"]
TILE_PX = 300
GOLDEN = 0.618034
# Where a picture is not at hand (annotations alone, other tools' files): the pose still tells.
EMPTY_GREY = 60
NO_PICTURE = ", no picture"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ViewConfig(StageConfig):
    """What to look at."""

    source: Path | None = setting(None)
    """An annotations table, or the folder of a virtual dataset; default: as `dataset` says."""

    dataset: str | None = setting(None)
    """Dataset; may be left out where only one has annotations."""

    split: str | None = setting(None)
    """Its split; default: the first that is there (in a folder: all)."""

    match: str | None = setting(None)
    """Only sequences whose name contains this: an action, a subject, a camera."""

    data: Path | None = setting(None)
    """The dataset's raw folder, where it is not at its default place."""

    output: Path | None = setting(None)
    """The sheet; default: beside the source, `<stem>_sheet.png`."""

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
    source: Path
    dataset: str
    tiles: int


@dataclass(frozen=True)
class Annotations:
    """Sequences to choose from, and where their pictures are."""

    dataset: str
    skeleton: Skeleton
    data: Path
    """The dataset's raw folder."""
    names: tuple[str, ...]
    rows_of: Callable[[str], Mapping[str, Any]]
    """The rows of one sequence: `COLUMNS` and `frame`, as arrays (N, ...)."""


def view(config: ViewConfig, progress: Progress = silent) -> ViewResult:
    """Draw the sheet and write it."""
    from auglift.outputs.contact_sheet import contact_sheet
    from auglift.storage.pictures import write_picture

    workspace = Workspace(config.root)
    source = config.source or _chosen_source(workspace, config)
    output = config.output or source.with_name(f"{source.stem}_sheet.png")
    if output.exists() and not config.overwrite:
        raise UsageError(
            "this sheet is there already", where=output, hint="--overwrite, or -o another.png"
        )
    if is_film(source):
        annotations = read_film(source, config.split)
    else:
        annotations = read_annotations(source, config.data or raw_folder_of(source, workspace))
    tiles = draw_tiles(annotations, config.tiles, config.match, progress)
    if not config.dry_run:
        write_picture(output, contact_sheet(tiles, min(config.columns, len(tiles)), TILE_PX))
    return ViewResult(output, source, annotations.dataset, len(tiles))


def tiles_of(table: Path, data: Path, n_tiles: int, progress: Progress = silent) -> list[Tile]:
    """Frames spread over a table's sequences, drawn."""
    return draw_tiles(read_annotations(table, data), n_tiles, None, progress)


def is_film(source: Path) -> bool:
    """Whether this is the folder of a virtual dataset."""
    return (source / "dataset.json").is_file()


def raw_folder_of(table: Path, workspace: Workspace) -> Path:
    """The raw folder of a table's dataset: in the workspace that the table lies in, if it does."""
    from auglift.storage.tables import table_info

    dataset = table_info(table, "annotations").metadata.dataset
    for above in table.absolute().parents:
        if above.name == TABLES_FOLDER:
            workspace = Workspace(above.parent)
    return workspace.raw_folder(dataset)


def read_annotations(table: Path, data: Path) -> Annotations:
    """The sequences of a table."""
    from auglift.geometry.skeleton import get_skeleton
    from auglift.storage.tables import read_table

    read = read_table(table, "annotations", COLUMNS)
    if len(read) == 0:
        raise MissingDataError(
            "the table has no rows", where=table, hint="auglift preprocess writes it"
        )

    def rows_of(name: str) -> Mapping[str, Any]:
        return read.select(read["sequence"] == name).columns

    skeleton = get_skeleton(read.metadata.skeleton)
    return Annotations(
        read.metadata.dataset, skeleton, data, tuple(read.unique("sequence")), rows_of
    )


def read_film(folder: Path, split: str | None) -> Annotations:
    """The sequences of a virtual dataset's folder, of one split or all."""
    from auglift.datasets.options import DatasetOptions
    from auglift.datasets.virtual import list_sequences, read_sequence
    from auglift.geometry.skeleton import H36M_17

    options = DatasetOptions()
    found = {s.name: s for s in list_sequences(folder, options) if split in (None, s.split)}
    if not found:
        what = f"no takes for '{split}'" if split else "no takes"
        raise MissingDataError(what, where=folder, hint="auglift film makes them")

    def rows_of(name: str) -> Mapping[str, Any]:
        return read_sequence(folder, found[name], 1, options).columns()

    return Annotations("virtual", H36M_17, folder, tuple(sorted(found)), rows_of)


def draw_tiles(
    annotations: Annotations, n_tiles: int, match: str | None = None, progress: Progress = silent
) -> list[Tile]:
    """Frames spread over the sequences and their moments, drawn; fewer where there are fewer."""
    names = [name for name in annotations.names if match is None or match in name]
    if not names:
        some = ", ".join(annotations.names[:3])
        raise UsageError(f"no sequence's name contains '{match}'", hint=f"they are called {some} …")
    tiles: dict[tuple[str, int], Tile] = {}
    with progress("draw", n_tiles, "frames") as advance:
        for name, moment in _spread(names, n_tiles):
            rows = annotations.rows_of(name)
            frame = _at(moment, rows["frame"])
            if (name, frame) not in tiles:
                tiles[name, frame] = _tile(name, frame, _people_in(frame, rows), annotations)
            advance(note=name)
    without = sum(tile.caption.endswith(NO_PICTURE) for tile in tiles.values())
    if without:
        logger.warning(
            "%d of %d frames have no picture below %s and are drawn on grey (--data names its "
            "folder)",
            *(without, len(tiles), annotations.data),
        )
    return list(tiles.values())


def _chosen_source(workspace: Workspace, config: ViewConfig) -> Path:
    """The dataset's annotations; a virtual dataset may be without."""
    annotated = workspace.datasets_with("annotations")
    film = config.data or workspace.raw_folder("virtual")
    # Who names no dataset gets the film only where there is no table at all.
    none = "virtual" not in annotated if config.dataset == "virtual" else not annotated
    if config.dataset in (None, "virtual") and none and is_film(film):
        logger.info("no annotations yet: looking at %s itself", film)
        return film
    choice = workspace.find_dataset("annotations", config.dataset, config.split)
    logger.info("dataset %s: %s", choice.dataset, choice.why)
    split = config.split or workspace.splits(choice.dataset, "annotations")[0]
    return workspace.annotations(choice.dataset, split)


def _spread(names: list[str], n_tiles: int) -> Iterator[tuple[str, float]]:
    """Sequences and moments 0…1 in them: all over the list, and another moment every time."""
    for i in range(n_tiles):
        first, stop = i * len(names) // n_tiles, (i + 1) * len(names) // n_tiles
        # Not always the first of its stretch: lists have a period, such as the number of cameras.
        yield names[first + i % max(stop - first, 1)], (0.5 + i * GOLDEN) % 1.0


def _at(moment: float, frames: Any) -> int:
    import numpy as np

    different = np.unique(frames)
    return int(different[int(moment * len(different))])


def _people_in(frame: int, rows: Mapping[str, Any]) -> dict[str, Any]:
    """The rows of one frame, from left to right in the picture."""
    import numpy as np

    here = {name: np.asarray(rows[name])[rows["frame"] == frame] for name in COLUMNS}
    x = np.where(here["visible"], here["keypoints_2d"][..., 0], 0.0)
    order = np.argsort(x.sum(axis=1) / np.maximum(here["visible"].sum(axis=1), 1))
    return {name: values[order] for name, values in here.items()}


def _tile(name: str, frame: int, people: Mapping[str, Any], annotations: Annotations) -> Tile:
    """Everybody of one frame, near by."""
    from auglift.outputs.contact_sheet import Tile, close_up
    from auglift.outputs.overlay import draw_overlay

    picture = _picture(annotations.data / str(people["source"][0]), frame)
    caption = f"{name.partition('/')[2] or name}  frame {frame}"
    if picture is None:
        picture, caption = _empty(people["image_wh"][0]), caption + NO_PICTURE
    near, joints = close_up(picture, people["keypoints_2d"], TILE_PX)
    skeleton, poses = annotations.skeleton, people["pose_3d"]
    root = poses[:, skeleton.indices(*skeleton.root)].mean(axis=1, keepdims=True)
    overlay = draw_overlay(near, joints, people["visible"].astype(float), poses - root, skeleton)
    return Tile(overlay, caption)


def _picture(source: Path, frame: int) -> Any:
    """None where there is no such video, and no such folder."""
    from auglift.storage.sources import open_source

    try:
        pictures = open_source(source)
    except MissingDataError:
        return None
    (found,) = pictures.frames(wanted=[frame])
    return found.picture


def _empty(image_wh: Any) -> Any:
    import numpy as np

    return np.full((image_wh[1], image_wh[0], 3), EMPTY_GREY, np.uint8)
