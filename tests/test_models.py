"""`auglift models`: the zoo's list, fetching and verifying, without a network."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.errors import ModelError, UsageError
from auglift.models import ModelsConfig, models
from auglift.storage import zoo


@pytest.fixture(autouse=True)
def nothing_is_here(monkeypatch, tmp_path):
    monkeypatch.setenv("AUGLIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUGLIFT_OFFLINE", "1")


def by_id(result):
    return {model.id: model for model in result.models}


def test_the_list_says_what_is_here_and_under_which_licence():
    found = by_id(models(ModelsConfig()))
    assert found["virtual-depth"].status == "embedded"
    assert found["virtual-depth"].size_mb > 0
    assert found["rtmpose-m"].status == "to fetch"
    assert found["rtmpose-m"].path is None
    large = found["depth-anything-v2-large-indoor"]
    assert large.non_commercial
    assert "NC" in large.licence
    assert not found["depth-anything-v2-small-indoor"].non_commercial


def test_only_one_kind():
    assert {m.kind for m in models(ModelsConfig(kind="depth")).models} == {"depth"}


def test_verify_compares_the_files_that_are_here(tmp_path):
    verified = by_id(models(ModelsConfig(action="verify")))
    assert {m.status for m in verified.values()} == {"verified"}
    assert "rtmpose-m" not in verified
    card = zoo.get_card("virtual-depth")
    wrong = tmp_path / "mine" / card.file
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes(b"another network")
    result = models(ModelsConfig(action="verify", model_dir=tmp_path / "mine"))
    assert [m.id for m in result.wrong] == ["virtual-depth"]
    assert hashlib.sha256(b"another network").hexdigest() in result.wrong[0].problem


def test_fetching_offline_fails_for_each_by_itself():
    wanted = ("virtual-pose", "rtmpose-m", "rtmdet-m")
    result = models(ModelsConfig(action="fetch", models=wanted))
    assert [m.status for m in result.models] == ["here", "wrong", "wrong"]
    assert "AUGLIFT_OFFLINE" in result.models[1].problem


def test_fetching_brings_the_file(monkeypatch, tmp_path):
    def bring(card, path):
        path.write_bytes(b"weights")

    monkeypatch.delenv("AUGLIFT_OFFLINE")
    monkeypatch.setattr(zoo, "fetch", bring)
    card = zoo.get_card("rtmpose-m")
    monkeypatch.setattr(
        zoo, "get_card", lambda name: type(card)(**vars(card) | {"sha256": "unknown"})
    )
    [model] = models(ModelsConfig(action="fetch", models=("rtmpose-m",))).models
    assert model.status == "fetched"
    assert model.path.read_bytes() == b"weights"
    assert model.path.is_relative_to(tmp_path / "cache")


def test_a_dry_run_fetches_nothing(monkeypatch):
    monkeypatch.setattr(zoo, "model_path", None)
    [model] = models(ModelsConfig(action="fetch", models=("rtmpose-m",), dry_run=True)).models
    assert model.status == "to fetch"


def test_path_is_of_one_model():
    [model] = models(ModelsConfig(action="path", models=("virtual-pose",))).models
    assert model.path.is_file()
    with pytest.raises(UsageError, match="one model"):
        models(ModelsConfig(action="path"))
    with pytest.raises(ModelError):
        models(ModelsConfig(action="path", models=("rtmpose-m",)))


def test_an_unknown_model_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="unknown model") as caught:
        models(ModelsConfig(models=("rtmpose-n",)))
    assert "rtmpose-m" in caught.value.hint


def test_embedded_lifters_are_listed_verified_and_found(lifter_zoo, runner):
    zoo = lifter_zoo({"small-casp": ("casp", 27, 45.0), "small-xy": ("xy", 27, 60.0)})
    listed = by_id(models(ModelsConfig(kind="lifter")))
    assert {(m.status, m.licence, m.score) for m in listed.values()} == {
        ("embedded", "Apache-2.0", "P1 45.0 mm; a test"),
        ("embedded", "Apache-2.0", "P1 60.0 mm; a test"),
    }
    table = runner.invoke(app, ["models"]).stdout
    assert "small-casp" in table
    assert "Lifter tcn, casp: P1 45.0 mm" in " ".join(table.split())
    assert {m.status for m in models(ModelsConfig(action="verify")).models} == {"verified"}
    [model] = models(ModelsConfig(action="path", models=("small-xy",))).models
    assert model.path == zoo / "lifters" / "small-xy.safetensors"
    model.path.write_bytes(b"other weights")
    assert [m.id for m in models(ModelsConfig(action="verify")).wrong] == ["small-xy"]


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    return CliRunner()


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "auglift", "models", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command():
    done = run("path", "virtual-pose")
    assert done.returncode == 0
    assert done.stdout.strip().endswith(".onnx")
    document = json.loads(run("--kind", "person", "--json").stdout)
    assert {m["kind"] for m in document["models"]} == {"person"}
    assert run("fetch", "rtmdet-m").returncode == 4
    assert run("dance").returncode == 2


@pytest.mark.parametrize("width", [80, 140])
def test_the_list_can_be_read_on_a_narrow_terminal(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    listed = CliRunner().invoke(app, ["models", "list"]).stdout.splitlines()
    ids = by_id(models(ModelsConfig()))
    for name in ids:  # whole, with its licence
        (line,) = [line for line in listed if line.split()[:1] == [name]]
        assert ids[name].licence in line
    assert len(listed) < 2 * len(ids)
    assert ("what it is" in listed[0]) == (width == 140)
