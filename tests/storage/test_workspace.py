import os
import subprocess
import sys
from pathlib import Path

import pytest

from auglift.errors import MissingDataError, UsageError
from auglift.storage.run_folder import RunFolder
from auglift.storage.workspace import RAW_FOLDERS, Workspace

EVERYONE = "3dhp, 3dpw, fit3d, h36m, virtual"


def touch(path: Path, time_s: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time_s, time_s))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty one, seen from inside."""
    monkeypatch.chdir(tmp_path)
    return Workspace()


def add(workspace: Workspace, dataset: str, *kinds: str) -> None:
    places = {
        "annotations": workspace.annotations(dataset, "train"),
        "detections": workspace.detections_folder(dataset) / "part-0001.parquet",
        "xycd": workspace.xycd(dataset, "train"),
    }
    for kind in kinds:
        touch(places[kind])


def message(error: pytest.ExceptionInfo[MissingDataError]) -> tuple[str, str | None]:
    assert error.value.exit_code == 3
    return error.value.what, error.value.hint


def test_places() -> None:
    workspace = Workspace(Path("r"))
    assert {name: workspace.raw_folder(name).as_posix() for name in RAW_FOLDERS} == {
        "h36m": "r/h36m_data",
        "3dpw": "r/3dpw_data",
        "3dhp": "r/data",
        "fit3d": "r/fit3d_data",
        "virtual": "r/virtual_data",
    }
    annotations = workspace.annotations("h36m", "test").as_posix()
    assert annotations == "r/auglift_data/h36m/annotations/test.parquet"
    assert workspace.detections_folder("h36m").as_posix() == "r/auglift_data/h36m/detections"
    assert (
        workspace.xycd("fit3d", "val").as_posix() == "r/auglift_data/fit3d/fit3d_xycd_val.parquet"
    )
    assert workspace.xycd_npz("3dpw", "test").name == "3dpw_xycd_test.npz"
    run = workspace.run("tcn casp")
    assert run.config.as_posix() == "r/work_dirs/tcn casp/config.yaml"
    assert run.best_model.name == "best_model.safetensors"
    assert run.last_checkpoint.name == "last_checkpoint"
    assert run.epoch_model(12).name == "epoch_12.safetensors"
    assert run.scalars.as_posix() == "r/work_dirs/tcn casp/logs/scalars.json"


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "", ".", "..", ".hidden", "/etc", "c:x"])
def test_names_lead_nowhere_else(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a dataset") as caught:
        workspace.xycd(name, "train")
    assert "virtual" in str(caught.value)
    with pytest.raises(UsageError, match="cannot be the name of a split"):
        workspace.annotations("h36m", name)
    with pytest.raises(UsageError, match="cannot be the name of a run"):
        workspace.run(name)
    with pytest.raises(UsageError, match="unknown dataset") as caught:
        workspace.find_dataset("xycd", name)
    assert EVERYONE in str(caught.value)


def test_contents(workspace: Workspace) -> None:
    add(workspace, "virtual", "annotations", "xycd")
    touch(workspace.xycd("virtual", "test"))
    add(workspace, "my walks", "detections")
    touch(workspace.xycd("h36m", "train").with_name(".tmp-1-h36m_xycd_train.parquet"))
    touch(workspace.detections_folder("fit3d") / "notes.txt")
    assert workspace.datasets() == ["my walks", "virtual"]
    assert workspace.datasets_with("xycd") == ["virtual"]
    assert workspace.datasets_with("xycd", "test") == ["virtual"]
    assert workspace.datasets_with("xycd", "val") == []
    assert workspace.datasets_with("detections") == ["my walks"]
    assert workspace.splits("virtual", "xycd") == ["test", "train"]
    assert workspace.splits("virtual", "annotations") == ["train"]
    with pytest.raises(UsageError, match="unknown kind of table 'poses'"):
        workspace.datasets_with("poses")


# --------------------------------------------------------------------------------- which dataset


def test_only_dataset_is_chosen(workspace: Workspace) -> None:
    add(workspace, "virtual", "annotations", "detections", "xycd")
    add(workspace, "h36m", "annotations")
    choice = workspace.find_dataset("xycd", split="train")
    assert choice.dataset == "virtual"
    assert choice.why == "the only dataset with an xycd table for 'train'"
    assert workspace.find_dataset("annotations", "h36m").why == "as asked"


def test_several_datasets_are_listed(workspace: Workspace) -> None:
    add(workspace, "virtual", "annotations")
    add(workspace, "h36m", "annotations")
    with pytest.raises(MissingDataError) as caught:
        workspace.find_dataset("annotations")
    assert message(caught) == (
        "several datasets have annotations: h36m, virtual",
        "say which: --dataset h36m or --dataset virtual",
    )


def test_the_briefs_three_commands_in_an_empty_folder(workspace: Workspace) -> None:
    others = " (or h36m, 3dpw, 3dhp, fit3d)"
    with pytest.raises(MissingDataError) as caught:  # detect-depth --dataset h36m --shard 3/20
        workspace.find_dataset("annotations", "h36m")
    assert message(caught) == ("no annotations of h36m", "auglift preprocess --dataset h36m")
    with pytest.raises(MissingDataError) as caught:  # train --arch tcn --variant casp
        workspace.find_dataset("xycd", split="train")
    assert message(caught) == (
        "no xycd table for 'train' of any dataset",
        "auglift preprocess --dataset virtual" + others,
    )
    with pytest.raises(MissingDataError) as caught:  # evaluate --protocol p2
        workspace.find_run()
    assert message(caught) == (
        "no run with weights",
        "auglift preprocess --dataset virtual" + others,
    )


@pytest.mark.parametrize(
    ("kinds", "there", "step"),
    [
        ((), "", "preprocess"),
        (("detections",), "; there are: detections of fit3d", "preprocess"),
        (("annotations",), "; there are: annotations of fit3d", "detect-depth"),
        (
            ("annotations", "detections"),
            "; there are: annotations of fit3d; detections of fit3d",
            "merge",
        ),
    ],
)
@pytest.mark.parametrize("dataset", [None, "fit3d"])
def test_chain_to_the_table(
    workspace: Workspace, kinds: tuple[str, ...], there: str, step: str, dataset: str | None
) -> None:
    workspace.raw_folder("fit3d").mkdir()
    add(workspace, "fit3d", *kinds)
    with pytest.raises(MissingDataError) as caught:
        workspace.find_dataset("xycd", dataset)
    assert message(caught) == (
        f"no xycd table of {dataset or 'any dataset'}{there}",
        f"auglift {step} --dataset fit3d",
    )


def test_next_step_never_overshoots(workspace: Workspace) -> None:
    add(workspace, "virtual", "annotations", "detections", "xycd")
    assert workspace.next_step("annotations", "virtual") == "auglift preprocess --dataset virtual"
    assert workspace.next_step("detections") == "auglift detect-depth --dataset virtual"
    assert workspace.next_step("xycd") == "auglift merge --dataset virtual"
    assert workspace.next_step("run") == "auglift train --arch tcn --variant casp"


def test_next_step_mentions_all_that_are_as_far(workspace: Workspace) -> None:
    for name in ("virtual", "h36m"):
        add(workspace, name, "annotations", "detections")
    assert workspace.next_step("xycd") == "auglift merge --dataset h36m (or virtual)"
    for name in ("virtual", "h36m"):
        add(workspace, name, "xycd")
    train = "auglift train --arch tcn --variant casp --dataset h36m (or virtual)"
    assert workspace.next_step("run") == train


def test_split_that_is_not_there(workspace: Workspace) -> None:
    add(workspace, "virtual", "annotations", "detections", "xycd")
    with pytest.raises(MissingDataError) as caught:
        workspace.find_dataset("xycd", "virtual", "val")
    assert message(caught) == (
        "no xycd table for 'val' of virtual; there are: train",
        "auglift merge writes every annotated split",
    )


def test_commands_name_the_root(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError) as caught:
        Workspace(tmp_path / "my data").find_dataset("detections", "3dpw")
    _, hint = message(caught)
    assert hint == f"auglift preprocess --dataset 3dpw --root '{tmp_path}/my data'"
    assert caught.value.where == str(tmp_path / "my data" / "auglift_data" / "3dpw")


def test_ones_own_dataset_is_known_by_its_table(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="unknown dataset 'mine'"):
        workspace.find_dataset("xycd", "mine")
    add(workspace, "mine", "xycd")
    assert workspace.find_dataset("xycd", "mine").dataset == "mine"
    with pytest.raises(UsageError) as caught:
        workspace.find_dataset("xycd", "min")
    assert "did you mean 'mine'" in str(caught.value)
    assert "h36m, mine, virtual" in str(caught.value)


# --------------------------------------------------------------------------------- which run


def test_newest_run_is_chosen(workspace: Workspace) -> None:
    touch(workspace.run("a").best_model, 20)
    assert workspace.find_run().why == "the only run"
    touch(workspace.run("b").epoch_model(1), 30)
    touch(workspace.run("c").best_model, 10)
    workspace.run("without weights").path.mkdir()
    choice = workspace.find_run()
    assert (choice.run.name, choice.why) == ("b", "the newest of 3 runs")
    assert workspace.find_run("a").run == workspace.run("a")
    assert workspace.find_run("work_dirs/c").run.best_model.is_file()


def test_run_that_is_not_there(workspace: Workspace) -> None:
    add(workspace, "virtual", "xycd")
    touch(workspace.run("a").best_model)
    with pytest.raises(MissingDataError) as caught:
        workspace.find_run("b")
    assert message(caught) == (
        "no run 'b' with weights; there are: a",
        "auglift train --arch tcn --variant casp",
    )


def test_weights_of_a_run(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    assert run.model is None
    for epoch in (2, 10, 9):
        touch(run.epoch_model(epoch))
    touch(tmp_path / "epoch_last.safetensors")
    touch(tmp_path / ".tmp-1-best_model.safetensors")
    assert [path.stem for path in run.epoch_models] == ["epoch_2", "epoch_9", "epoch_10"]
    assert run.model == run.epoch_model(10)
    touch(run.best_model)
    assert run.model == run.best_model


def test_importing_costs_nothing() -> None:
    script = (
        "import sys, auglift.storage.workspace; "
        "print({'numpy', 'pyarrow', 'torch', 'scipy', 'yaml'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
