"""Annotations × detections: the right rows beside each other, block by block as all at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from auglift.detection.joining import Matching, ahead, join, joined_blocks
from auglift.errors import DataError
from auglift.storage.schemas import ANNOTATIONS, DETECTIONS, XYCD
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import TableWriter
from auglift.storage.tables import Table

Columns = dict[str, np.ndarray]

ABOUT = {"skeleton": "h36m_17", "fps": 25.0}
TRUTH = TableMetadata(kind="annotations", distortion="none", **ABOUT)
FOUND = TableMetadata(kind="detections", detector_skeleton="coco_17", **ABOUT)
PICTURES = [(f"s{i}", frame) for i in range(6) for frame in range(3 + 4 * i)]


def blank(metadata: TableMetadata, keys: list[tuple[str, int, int]]) -> Columns:
    """Rows of zeros and words, whose keys are right."""
    sequence, person, frame = zip(*keys, strict=True)
    columns: Columns = {}
    for column in metadata.columns:
        shape = (len(keys), *metadata.shape(column))
        columns[column.name] = (
            np.full(shape, "x", object) if column.dtype == "text" else np.zeros(shape, column.dtype)
        )
    columns["sequence"][:] = sequence
    return columns | {"person": np.array(person, np.int16), "frame": np.array(frame, np.int32)}


def truth_rows() -> Columns:
    """Two people in each picture, 300 px apart."""
    keys = sorted((s, p, f) for s, f in PICTURES for p in (0, 1))
    columns = blank(TRUTH, keys)
    body = np.random.default_rng(0).uniform(0, 200, (17, 2))
    columns["keypoints_2d"] = (
        body + 300 * columns["person"][:, None, None] + columns["frame"][:, None, None]
    ).astype(np.float32)
    columns["visible"][:] = True
    return columns


def found_rows(truth: Columns) -> Columns:
    """Everybody, with the numbers exchanged; in frame 2 the first of them alone."""
    keys = [(s, 1 - p, f) for s, p, f in zip(*(truth[n] for n in ("sequence", "person", "frame")),
                                             strict=True)]  # fmt: skip
    kept = [i for i, key in enumerate(keys) if key[2] != 2 or key[1] == 1]
    order = sorted(kept, key=lambda i: keys[i])
    columns = blank(FOUND, [keys[i] for i in order])
    joints = truth["keypoints_2d"][order] + 1
    return columns | {
        "detected": np.ones(len(order), bool),
        "joints_2d": joints,
        "box_xyxy": np.concatenate([joints.min(axis=1), joints.max(axis=1)], axis=1),
        "depth_valid": np.ones((len(order), 17), bool),
        "radius_px": np.repeat(np.arange(len(order), dtype=np.float32)[:, None], 17, axis=1),
    }


def write(path: Path, metadata: TableMetadata, columns: Columns) -> Path:
    with TableWriter(path, metadata, group_rows=7) as writer:
        writer.append(columns)
    return path


def some(columns: Columns, rows: np.ndarray) -> Columns:
    return {name: values[rows] for name, values in columns.items()}


@pytest.mark.parametrize("rule", ["iou", "oks"])
def test_blocks_are_the_whole_join_in_pieces(tmp_path: Path, rule: str) -> None:
    truth = truth_rows()
    found = found_rows(truth)
    annotations = write(tmp_path / "truth.parquet", TRUTH, truth)
    owner = np.random.default_rng(1).integers(0, 3, len(found["frame"]))
    files = [write(tmp_path / f"{i}.parquet", FOUND, some(found, owner == i)) for i in range(3)]
    blocks = list(joined_blocks(annotations, files, Matching(rule, 0.1)))
    assert len(blocks) > 1
    joined = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    assert set(joined) == {c.name for c in XYCD.columns if not c.optional}
    by_key = dict(zip(zip(*(found[n].tolist() for n in ("sequence", "person", "frame")),
                          strict=True), found["radius_px"][:, 0], strict=True))  # fmt: skip
    for i, sequence in enumerate(truth["sequence"]):
        person, frame = int(truth["person"][i]), int(truth["frame"][i])
        expected = by_key.get((sequence, 1 - person, frame))
        assert joined["detected"][i] == (expected is not None)
        if expected is not None:
            assert joined["radius_px"][i, 0] == expected
    np.testing.assert_array_equal(joined["keypoints_2d"], truth["keypoints_2d"])


def test_joined_rows_have_what_was_chosen_and_nothing_else() -> None:
    truth_columns = truth_rows()
    truth = Table(TRUTH, some(truth_columns, np.arange(3)))
    found = Table(FOUND, some(found_rows(truth_columns), np.arange(2)))
    names = ("sequence", "frame", "detected", "keypoints_2d", "box_xyxy", "radius_px",
             "depth_valid")  # fmt: skip
    columns = [c for c in XYCD.columns if c.name in names]
    joined = join(truth, found, np.array([1, -1, 0]), columns)
    assert set(joined) == set(names)
    assert joined["detected"].tolist() == [True, False, True]
    assert joined["keypoints_2d"] is truth["keypoints_2d"]  # the true ones, not the detector's
    np.testing.assert_array_equal(joined["box_xyxy"][[0, 2]], found["box_xyxy"][[1, 0]])
    assert np.isnan(joined["box_xyxy"][1]).all()
    assert joined["radius_px"][[0, 2], 0].tolist() == [1, 0]
    assert joined["depth_valid"].all(axis=1).tolist() == [True, False, True]


def test_a_table_of_the_true_columns_alone_is_asked_of_the_annotations() -> None:
    of_truth = {c.name for c in XYCD.columns if c.name in ANNOTATIONS.names}
    of_found = {c.name for c in XYCD.columns if c.name in DETECTIONS.names}
    assert {c.name for c in XYCD.columns} == of_truth | of_found


def test_blocks_that_are_made_ahead_come_in_order_and_errors_with_them() -> None:
    def broken() -> Iterator[Columns]:
        yield from ({"frame": np.array([i])} for i in range(3))
        raise DataError("torn")

    seen = []
    with pytest.raises(DataError, match="torn"):
        seen.extend(int(block["frame"][0]) for block in ahead(broken()))
    stopped = ahead({"frame": np.array([i])} for i in range(9))
    seen += [int(next(stopped)["frame"][0]) for _ in range(2)]
    stopped.close()
    assert seen == [0, 1, 2, 0, 1]
    assert list(ahead(iter(()))) == []
