"""A copy of Fit3D with a broken file, through the whole stage."""

from __future__ import annotations

import pytest

from auglift.datasets.options import DatasetOptions
from auglift.errors import PartlyDoneError
from auglift.preprocess import PreprocessConfig, preprocess
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace


def test_the_others_finish_and_running_again_does_the_rest(mine, writers):
    config = PreprocessConfig(
        root=mine.parent, workers=1, options=DatasetOptions(fit3d_split="s03"), every=4
    )
    joints = mine / "s03/joints3d_25/squat.json"
    joints.write_text('{"joints3d_25": [[[NaN')
    with pytest.raises(PartlyDoneError, match=r"fit3d/s03/squat/|squat\.json"):
        preprocess(config)
    whole = Workspace(mine.parent).annotations("fit3d", "train")
    made = whole.stat().st_mtime_ns
    writers.write_joints(joints, writers.walk(writers.N_FRAMES))
    result = preprocess(config)
    assert {s.split: (s.sequences, s.rows) for s in result.splits} == {
        "test": (8, 40),
        "train": (8, 40),
    }
    assert whole.stat().st_mtime_ns == made
    table = read_table(Workspace(mine.parent).annotations("fit3d", "test"), "annotations")
    assert table.metadata.distortion == "h36m"
    assert set(table.columns["subject"]) == {"s03"}
