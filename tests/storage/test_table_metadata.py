import json
from pathlib import Path
from typing import Any

import pytest

from auglift.errors import AugliftError, DataError, SchemaError, UsageError
from auglift.storage.table_metadata import ModelRecord, TableMetadata, combined, from_json

FULL: dict[str, Any] = {
    "kind": "detections",
    "skeleton": "h36m_17",
    "detector_skeleton": "coco_17",
    "fps": {"h36m/S9/Wä lk 1/54138969": 50.0},
    "dataset": "h36m",
    "n_features": 4,
    "models": {"depth": ModelRecord("depth-anything-v2-s", "ab" * 32)},
    "providers": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "config": {"shard": None, "every": 2},
    "config_hash": "0123456789ab",
    "extra": {"note": ["any", 1.5]},
}


def table(**changes: Any) -> TableMetadata:
    return TableMetadata(kind="annotations", skeleton="h36m_17", distortion="none", **changes)


def together(*rates: Any) -> Any:
    return combined({Path(f"{i}.parquet"): table(fps=fps) for i, fps in enumerate(rates)}).fps


def test_everything_survives_json() -> None:
    metadata = TableMetadata(**FULL)
    assert from_json(metadata.to_json(), "detections") == metadata
    reordered = TableMetadata(**{**FULL, "config": {"every": 2, "shard": None}})
    assert reordered.to_json() == metadata.to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"skeleton": "h36m_18"}, "unknown skeleton 'h36m_18'"),
        ({"detector_skeleton": None}, "detector's skeleton"),
        ({"fps": 0.0}, "positive"),
        ({"fps": {"a": 25.0, "b": float("nan")}}, "positive"),
        ({"kind": "annotations"}, "unknown distortion 'None'"),
        ({"kind": "poses"}, "unknown kind of table 'poses'"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AugliftError, match=message):
        TableMetadata(**{**FULL, **change})


@pytest.mark.parametrize(
    "text",
    [
        "no json", "[]", '{"schema": "detections"}', '{"schema": "detections", "version": 1}',
        TableMetadata(**FULL).to_json().replace('"skeleton"', '"skeletons"'),
        TableMetadata(**FULL).to_json().replace('"sha256"', '"md5"'),
    ],
)  # fmt: skip
def test_metadata_that_cannot_be_read(text: str) -> None:
    with pytest.raises(SchemaError) as caught:
        from_json(text, "detections")
    assert "auglift detect-depth" in str(caught.value)


def test_unknown_kind_is_the_callers_mistake() -> None:
    with pytest.raises(UsageError, match="unknown kind of table 'xyz'"):
        from_json("{}", "xyz")


def test_rate_of_a_sequence() -> None:
    assert table(fps=25.0).fps_of("any") == 25.0
    assert table(fps={"a": 25.0, "b": 50.0}).fps_of("b") == 50.0
    with pytest.raises(DataError, match="'c'"):
        table(fps={"a": 25.0}).fps_of("c")


def test_rates_of_several_files_are_put_together() -> None:
    assert together(25, 25) == 25
    assert together({"a": 25.0}, {"a": 25.0, "b": 50.0}) == {"a": 25.0, "b": 50.0}
    assert together({"a": 25.0}, {"b": 50.0}, {"b": 50.0}) == {"a": 25.0, "b": 50.0}


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ([25.0, 25.0, 50.0], "fps is 25.0 in 0.parquet and 50.0 in 2.parquet"),
        ([{"a": 1.0}, {"b": 2.0}, 3.0], "fps is {'a': 1.0} in 0.parquet and 3.0 in 2.parquet"),
        ([3.0, {"b": 2.0}], "fps is 3.0 in 0.parquet and {'b': 2.0} in 1.parquet"),
        ([{"a": 1.0}, {"b": 2.0}, {"b": 3.0}], "'b' is 2.0 in 1.parquet and 3.0 in 2.parquet"),
    ],
)
def test_rates_that_contradict_each_other(rates: list[Any], message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        together(*rates)
    assert message in str(caught.value)


def test_what_differs_between_machines_is_collected() -> None:
    one = table(fps=25.0, providers=("CPU",), auglift="0.1.0", extra={"a": 1, "b": 2})
    other = table(fps=25.0, providers=("CUDA", "CPU"), auglift="0.1.1", extra={"a": 1, "b": 3})
    both = combined({Path("1"): one, Path("2"): other})
    assert both.providers == ("CPU", "CUDA")
    assert both.auglift == "0.1.0, 0.1.1"
    assert both.extra == {"a": 1}


def test_units_are_written_for_other_programs() -> None:
    units = json.loads(table(fps=25.0).to_json())["units"]
    assert (units["pose_3d"], units["keypoints_2d"], units["time_s"]) == ("m", "px", "s")
