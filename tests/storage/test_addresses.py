"""Paths in an object store, on a real S3 server: what they answer, and what they refuse."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auglift.config import StageConfig, as_address, as_dict, load_config
from auglift.errors import (
    AugliftError,
    BrokenFileError,
    ConfigError,
    MissingDataError,
    SetupError,
    UsageError,
)
from auglift.evaluate import EvaluateConfig
from auglift.storage import atomic, object_stores
from auglift.storage.addresses import find_files, place
from auglift.storage.provenance import fingerprint
from auglift.storage.remote_path import RemotePath, on_disk
from auglift.storage.tables import iter_chunks, read_table, table_info
from auglift.storage.workspace import Workspace


def test_a_path_keeps_its_address_whatever_is_done_to_it() -> None:
    path = place("s3://bucket/folder/run.yaml")
    assert str(path) == "s3://bucket/folder/run.yaml"
    related = {
        path.parent: "s3://bucket/folder",
        path.with_suffix(".npz"): "s3://bucket/folder/run.npz",
        path.parent / "b" / "c": "s3://bucket/folder/b/c",
        path.resolve(): str(path),
        path.absolute(): str(path),
        copy.deepcopy(path): str(path),
        pickle.loads(pickle.dumps(path)): str(path),
        place(Path("s3://bucket/folder")): "s3://bucket/folder",  # of which Path kept one slash
    }
    for other, address in related.items():
        assert isinstance(other, RemotePath)
        assert str(other) == address


def test_a_disk_is_no_address() -> None:
    assert place("folder/x.parquet") == Path("folder/x.parquet")
    assert place("file:///folder/x") == Path("/folder/x")
    assert as_address("C:/folder") is None
    assert as_address(Path("/s3:/bucket")) is None


def test_what_is_written_is_there(bucket: str) -> None:
    path = place(f"{bucket}/runs/a/config.yaml")
    assert not path.exists()
    assert not path.parent.is_dir()
    atomic.write_text(path, "Größe: 1\n")
    assert path.read_text(encoding="utf-8") == "Größe: 1\n"
    assert (path.is_file(), path.is_dir()) == (True, False)
    assert (path.parent.is_file(), path.parent.is_dir()) == (False, True)
    assert path.stat().st_size == len("Größe: 1\n".encode())
    assert path.stat().st_mtime_ns > 1.7e18
    path.unlink()
    assert not path.exists()
    path.unlink(missing_ok=True)


def test_a_write_that_fails_leaves_what_was_there(bucket: str) -> None:
    path = place(f"{bucket}/state")
    atomic.write_text(path, "before")

    def fail() -> None:
        with atomic.replacing(path) as temporary:
            temporary.write_text("half of what was m")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "before"


def test_a_large_object_travels_whole(bucket: str) -> None:
    path = place(f"{bucket}/large")
    content = np.random.default_rng(0).bytes(12_000_000)  # more than one piece of an upload
    atomic.write_bytes(path, content)
    with on_disk(path) as file:
        assert file.read_bytes() == content
    assert not file.exists()


def test_an_upload_that_arrives_short_is_noticed(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        RemotePath, "stat", lambda self: os.stat_result((0o100000, *5 * [0], 3, 0, 0, 0))
    )
    with pytest.raises(AugliftError, match="holds 3 of 4 bytes"):
        atomic.write_text(place(f"{bucket}/x"), "four")


def test_patterns_find_files_in_folders_and_buckets(bucket: str, tmp_path: Path) -> None:
    names = ("a/part-1.parquet", "a/part-2.parquet", "a/.tmp-part-3.parquet", "b/part-1.parquet",
             "b/notes.txt")  # fmt: skip
    for root in (place(bucket), tmp_path):
        for name in names:
            atomic.write_text(root / name, "x")

        def found(*patterns: str, root: Path = root) -> list[str]:
            files = find_files([f"{root}/{pattern}" for pattern in patterns])
            return [str(file).removeprefix(f"{root}/") for file in files]

        assert found("a") == ["a/part-1.parquet", "a/part-2.parquet"]
        assert found("*/part-1.parquet") == ["a/part-1.parquet", "b/part-1.parquet"]
        assert found("b/*.parquet", "a/part-[2-9].parquet", "b") == [
            "b/part-1.parquet",
            "a/part-2.parquet",
        ]
        with pytest.raises(MissingDataError, match="no file fits") as caught:
            find_files([f"{root}/c/*.parquet"])
        assert caught.value.where == f"{root}/c/*.parquet"
        with pytest.raises(MissingDataError, match=r"no \.npz file lies in this folder"):
            find_files([f"{root}/a"], ".npz")


def test_a_name_may_hold_a_bracket(tmp_path: Path) -> None:
    path = tmp_path / "take[1].parquet"
    path.touch()
    assert find_files([str(path)]) == [path]


# ---------------------------------------------------------------------------------- refusals


def test_a_bucket_that_is_not_there(bucket: str) -> None:
    path = place(f"{bucket}-mistyped/runs/a")
    actions: list[Callable[[], object]] = [
        path.is_file,
        path.read_bytes,
        lambda: list(path.glob("*")),
        lambda: atomic.write_text(path, "x"),
    ]
    for action in actions:
        with pytest.raises(MissingDataError, match="no such bucket"):
            action()


def test_an_object_that_is_not_there(bucket: str) -> None:
    with pytest.raises(MissingDataError, match="no such object") as caught:
        place(f"{bucket}/x").read_bytes()
    assert caught.value.where == f"{bucket}/x"


def test_a_store_that_does_not_know_us(bucket: str, s3_server: str) -> None:
    """moto looks at keys from the n-th request on; nobody has one there."""
    atomic.write_text(place(f"{bucket}/x"), "x")

    def look_at_keys(from_request: str) -> None:
        request = urllib.request.Request(
            f"{s3_server}/moto-api/reset-auth", from_request.encode(), {"Content-Type": "text"}
        )
        urllib.request.urlopen(request).close()

    look_at_keys("0")
    try:
        for action in (place(f"{bucket}/x").read_bytes, place(bucket).is_dir):
            with pytest.raises(SetupError, match="refuses access") as caught:
                action()
            assert "AWS_ACCESS_KEY_ID" in str(caught.value.hint)
        with pytest.raises(SetupError, match="refuses access"):
            atomic.write_text(place(f"{bucket}/y"), "y")
    finally:
        look_at_keys("inf")


def test_a_store_that_is_not_there(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SetupError, match="cannot be reached") as caught:
        place(f"{bucket}/x").read_bytes()
    assert "AWS_ENDPOINT_URL" in str(caught.value.hint)


def test_secrets_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="holds no credentials") as caught:
        place("s3://key:secret@bucket/x").exists()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["s3:/", "nonsense://bucket/x"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(UsageError):
        RemotePath(address).exists()


def test_other_schemes_come_from_fsspec(tmp_path: Path) -> None:
    path = place("memory://somewhere/a.txt")
    atomic.write_text(path, "x")
    assert path.read_text() == "x"
    assert [str(one) for one in place("memory://somewhere").glob("*")] == [str(path)]
    assert not place("memory://nowhere/a.txt").exists()


def test_schemes_that_arrow_knows_come_from_arrow() -> None:
    system, path = object_stores.resolve("gs://bucket/folder/x")
    assert (system.type_name, path) == ("gcs", "bucket/folder/x")
    system, path = object_stores.resolve("mock:///folder/x")
    assert (system.type_name, path) == ("mock", "folder/x")


def test_whoever_wants_a_file_on_a_disk_is_told(bucket: str) -> None:
    path = place(f"{bucket}/x")
    atomic.write_text(path, "x")
    actions: list[Callable[[], object]] = [
        lambda: shutil.copy(path, "y"),
        lambda: os.listdir(path),
        path.touch,
        lambda: path.open("w"),
        lambda: path.rename("y"),
    ]
    for action in actions:
        with pytest.raises(UsageError) as caught:
            action()
        assert caught.value.where == str(path)


def test_raw_data_may_not_lie_in_a_store() -> None:
    workspace = Workspace(place("s3://bucket/project"))
    assert str(workspace.xycd("h36m", "test")).startswith("s3://bucket/project/auglift_data/")
    with pytest.raises(UsageError, match="raw data has to lie on a disk"):
        workspace.raw_folder("h36m")


# ---------------------------------------------------------------------------------- settings


def test_only_settings_that_say_so_may_be_addresses() -> None:
    config = load_config(EvaluateConfig, flags={"root": Path("s3://bucket/project")})
    assert as_dict(config)["root"] == "s3://bucket/project"
    assert str(Workspace(config.root).root) == "s3://bucket/project"
    for config_class, name in ((StageConfig, "root"), (EvaluateConfig, "report")):
        with pytest.raises(ConfigError, match=f"{name} has to lie on a disk"):
            load_config(config_class, sets=[f"{name}=s3://bucket/x"])


# ---------------------------------------------------------------------------------- tables


@pytest.fixture
def remote_table(bucket: str, write_xycd: Callable[..., Path]) -> tuple[Path, Path]:
    """A table on the disk, and the same in the bucket."""
    local = Workspace(write_xycd(n_frames=200)).xycd("h36m", "train")
    remote = place(f"{bucket}/tables/{local.name}")
    atomic.write_bytes(remote, local.read_bytes())
    return local, remote


def test_a_table_reads_the_same(remote_table: tuple[Path, Path]) -> None:
    local, remote = (read_table(path, "xycd") for path in remote_table)
    assert local.metadata == remote.metadata
    for name in local.columns:
        np.testing.assert_array_equal(local[name], remote[name])
    assert sum(map(len, iter_chunks(remote_table[1].parent, "xycd", ["frame"]))) == len(local)


def test_only_the_wanted_columns_are_fetched(
    remote_table: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    open_input = RemotePath.open_input

    def counted(path: RemotePath) -> object:
        opened.append(_Counted(open_input(path)))
        return opened[-1]

    monkeypatch.setattr(RemotePath, "open_input", counted)
    table_info(remote_table[1], "xycd")
    read_table(remote_table[1], "xycd", ["detected"])
    size = remote_table[1].stat().st_size
    assert sum(one.n_read for one in opened) < 0.5 * size  # footers, keys and one thin column


class _Counted:
    """A file that counts the bytes that were read of it."""

    def __init__(self, file: object) -> None:
        self._file, self.n_read = file, 0

    def read(self, n: int = -1) -> bytes:
        content: bytes = self._file.read(n)
        self.n_read += len(content)
        return content

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def test_a_broken_table_is_told_from_a_broken_network(
    remote_table: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    local, remote = remote_table
    content = local.read_bytes()
    for broken in (content[: len(content) // 2], b""):
        atomic.write_bytes(remote, broken)
        with pytest.raises(BrokenFileError, match="not a readable Parquet file") as caught:
            read_table(remote, "xycd")
        assert caught.value.where == str(remote)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SetupError, match="cannot be reached"):
        read_table(remote, "xycd")


def test_a_fingerprint_changes_with_the_object(remote_table: tuple[Path, Path]) -> None:
    _, remote = remote_table
    before = fingerprint([remote])
    assert fingerprint([remote]) == before
    atomic.write_bytes(remote, remote.read_bytes()[:-1] + b"x")  # of the same size
    assert fingerprint([remote]) != before
