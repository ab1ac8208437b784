"""The sequences of a table become files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from auglift.infer import InferConfig, InferredFile, infer
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace

Read = Callable[[InferredFile], dict[str, Any]]


def test_every_sequence_of_a_split_gets_a_result(
    write_xycd: Callable[..., Path], root: Path, tmp_path: Path, read: Read
) -> None:
    workspace = write_xycd("test", dataset="made")
    checkpoint = str(root / "work_dirs/casp/best_model.safetensors")
    config = InferConfig(
        root=workspace, dataset="made", split="test", checkpoint=checkpoint, device="cpu",
        output=tmp_path / "people", smooth="none",
    )  # fmt: skip
    table = read_table(Workspace(workspace).xycd("made", "test"), "xycd")
    result = infer(config)
    assert len(result.files) == len(table.unique("sequence"))
    assert sum(file.frames for file in result.files) == len(table)
    document = read(result.files[0])
    assert document["source"] == table.unique("sequence")[0]
    assert "camera: as the dataset says" in document["positions"]
    assert {path.suffix for path in result.files[0].results} == {".json", ".npz"}
    assert all(file.written == () for file in infer(config).files)
