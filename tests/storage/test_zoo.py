from __future__ import annotations

import errno
import hashlib
import io
import logging
import multiprocessing
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from auglift.config import models_zoo_folder
from auglift.errors import ModelError, UsageError
from auglift.storage.cards import UNKNOWN, Card, Contract
from auglift.storage.zoo import cache_folder, model_path, results_folder

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def make_card(**changes: object) -> Card:
    values = {
        "id": "tiny",
        "kind": "pose",
        "file": "tiny.onnx",
        "sha256": SHA256,
        "licence": "MIT",
        "non_commercial": False,
        "contract": Contract(inputs={}, outputs={}),
        "description": "A test.",
    }
    return Card(**{**values, **changes})


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("AUGLIFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


class Site:
    """A web site on this machine: `pages` by path, and the paths that were `asked` for."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut_short = False

    def put(self, name: str, content: bytes) -> str:
        self.pages[f"/{name}"] = content
        return f"{self.address}/{name}"


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            content = site.pages.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2 if site.cut_short else None])

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


def left_over(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if not path.name.endswith(".lock")]


# --- where a model is looked for -----------------------------------------------------------------


def test_a_path_is_itself(tmp_path: Path):
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(b"anything")
    assert model_path(mine) == mine
    assert model_path(str(mine)) == mine


@pytest.mark.parametrize("name", ["folder/mine", "mine.onnx", Path("mine")])
def test_a_path_without_a_file_is_an_error(name: str | Path):
    with pytest.raises(ModelError, match="no such model file"):
        model_path(name)


def test_an_unknown_id_lists_the_known_ones():
    with pytest.raises(UsageError, match="did you mean 'rtmpose-m'"):
        model_path("rtmpose-mm")


def test_model_folder_wins_over_the_cache(tmp_path: Path, cache: Path, monkeypatch):
    for folder in (tmp_path / "given", tmp_path / "named", cache):
        folder.mkdir(parents=True)
        (folder / "tiny.onnx").write_bytes(CONTENT)
    assert model_path(make_card()) == cache / "tiny.onnx"
    monkeypatch.setenv("AUGLIFT_MODEL_DIR", str(tmp_path / "named"))
    assert model_path(make_card()) == tmp_path / "named" / "tiny.onnx"
    assert model_path(make_card(), model_dir=tmp_path / "given") == tmp_path / "given/tiny.onnx"


def test_embedded_model_needs_no_network(tmp_path: Path, monkeypatch):
    (tmp_path / "virtual").mkdir()
    (tmp_path / "virtual" / "tiny.onnx").write_bytes(CONTENT)
    monkeypatch.setattr("auglift.storage.zoo.models_zoo_folder", lambda: tmp_path)
    found = model_path(make_card(file="virtual/tiny.onnx"), offline=True)
    assert found == tmp_path / "virtual" / "tiny.onnx"


def test_wrong_file_is_refused_wherever_it_lies(tmp_path: Path, cache: Path):
    cache.mkdir(parents=True)
    (cache / "tiny.onnx").write_bytes(b"something else")
    (tmp_path / "tiny.onnx").write_bytes(b"something else")
    found = hashlib.sha256(b"something else").hexdigest()
    for folder in (None, tmp_path):
        with pytest.raises(ModelError, match=f"SHA-256 is {found}, not {SHA256}") as caught:
            model_path(make_card(), model_dir=folder)
        assert "delete it" in str(caught.value.hint)
        assert "--model-dir" in str(caught.value.hint)
    assert caught.value.where == str(tmp_path / "tiny.onnx")


def test_cache_is_the_users_unless_named(monkeypatch, tmp_path: Path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("AUGLIFT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder().name == "auglift"


# --- fetching ------------------------------------------------------------------------------------


def test_nothing_is_written_beside_the_zoos_weights(tmp_path: Path, cache: Path):
    assert results_folder(tmp_path / "work_dirs" / "a" / "best_model.safetensors") == (
        tmp_path / "work_dirs" / "a"
    )
    assert results_folder(cache / "models" / "lifter.safetensors") == Path()
    assert results_folder(models_zoo_folder() / "lifters" / "lifter.safetensors") == Path()


def test_fetch_once_and_say_what(site: Site, cache: Path, caplog, capfd):
    caplog.set_level(logging.INFO)
    urls = (site.put("a.onnx", CONTENT),)
    card = make_card(urls=urls, licence="CC-BY-NC-4.0", non_commercial=True)
    path = model_path(card)
    assert path == cache / "tiny.onnx"
    assert path.read_bytes() == CONTENT
    assert caplog.messages == [
        "fetching tiny, 0.1 MB, licence CC-BY-NC-4.0, for non-commercial use only, "
        f"from {site.address}/a.onnx"
    ]
    assert capfd.readouterr() == ("", "")  # pooch would say it once more
    assert model_path(card) == path
    assert site.asked == ["/a.onnx"]
    assert left_over(cache) == ["tiny.onnx"]


def test_offline_says_where_to_put_the_file(site: Site, cache: Path, monkeypatch):
    card = make_card(urls=(site.put("a.onnx", CONTENT),))
    monkeypatch.setenv("AUGLIFT_OFFLINE", "1")
    with pytest.raises(ModelError, match="AUGLIFT_OFFLINE") as caught:
        model_path(card)
    assert f"put tiny.onnx into {cache}" in str(caught.value.hint)
    assert card.urls[0] in str(caught.value.hint)
    assert site.asked == []
    assert not cache.exists()
    assert model_path(card, offline=False).is_file()
    assert model_path(card).is_file()  # what is there needs no network

    (cache / "tiny.onnx").unlink()
    monkeypatch.setenv("AUGLIFT_OFFLINE", "0")
    assert model_path(card).is_file()


def test_model_without_an_address_must_be_put_there(cache: Path):
    with pytest.raises(ModelError, match="'tiny' has no public address") as caught:
        model_path(make_card())
    assert f"put tiny.onnx into {cache}" in str(caught.value.hint)


def test_next_address_when_one_is_gone_or_wrong(site: Site, cache: Path):
    urls = (
        f"{site.address}/gone.onnx",
        site.put("wrong.onnx", b"another model"),
        site.put("right.onnx", CONTENT),
    )
    assert model_path(make_card(urls=urls)).read_bytes() == CONTENT
    assert site.asked == ["/gone.onnx", "/wrong.onnx", "/right.onnx"]
    assert left_over(cache) == ["tiny.onnx"]


def test_no_address_has_it(site: Site, cache: Path):
    urls = (f"{site.address}/gone.onnx", site.put("wrong.onnx", b"another model"))
    with pytest.raises(ModelError, match=r"gone.onnx: 404.*wrong.onnx: .* not ") as caught:
        model_path(make_card(urls=urls))
    assert caught.value.where == str(cache / "tiny.onnx")
    assert left_over(cache) == []


def test_connection_that_breaks_leaves_nothing(site: Site, cache: Path):
    site.cut_short = True
    card = make_card(urls=(site.put("a.onnx", CONTENT),), sha256=UNKNOWN)
    with pytest.raises(ModelError, match="could not be fetched"):
        model_path(card)
    assert left_over(cache) == []


def test_nobody_listens(cache: Path):
    with pytest.raises(ModelError, match="could not be fetched"):
        model_path(make_card(urls=("http://127.0.0.1:9/a.onnx",)))
    with pytest.raises(ModelError, match="could not be fetched"):
        model_path(make_card(urls=("gopher://127.0.0.1/a.onnx",)))


def test_cache_that_cannot_be_made(site: Site, tmp_path: Path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUGLIFT_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="cache cannot be written to") as caught:
        model_path(make_card(urls=(site.put("a.onnx", CONTENT),)))
    assert "AUGLIFT_CACHE" in str(caught.value.hint)


def test_full_disk_leaves_nothing(site: Site, cache: Path, monkeypatch):
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("auglift.storage.fetch.sync", full)
    with pytest.raises(ModelError, match="No space left"):
        model_path(make_card(urls=(site.put("a.onnx", CONTENT),)))
    assert left_over(cache) == []


def test_unknown_hash_is_trusted_once_and_remembered(site: Site, cache: Path, caplog):
    card = make_card(urls=(site.put("a.onnx", CONTENT),), sha256=UNKNOWN)
    path = model_path(card)
    assert SHA256 in caplog.text  # a warning: nobody vouched for it
    caplog.clear()
    assert model_path(card) == path
    assert caplog.messages == []
    path.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(ModelError, match=f"not {SHA256}"):
        model_path(card)


@pytest.mark.parametrize("content", [b"<html>please log in</html>", b""])
def test_web_page_is_never_trusted(site: Site, cache: Path, content: bytes):
    card = make_card(urls=(site.put("a.onnx", content),), sha256=UNKNOWN)
    with pytest.raises(ModelError, match="web page"):
        model_path(card)
    assert left_over(cache) == []


def test_model_inside_a_zip(site: Site, cache: Path):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("20230831/rtmpose/end2end.onnx", CONTENT)
    card = make_card(urls=(site.put("a.zip", archive.getvalue()),), member="end2end.onnx")
    assert model_path(card).read_bytes() == CONTENT
    assert left_over(cache) == ["tiny.onnx"]


def test_hostile_zip_leaves_nothing(site: Site, cache: Path):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../../end2end.onnx", CONTENT)
    card = make_card(urls=(site.put("a.zip", archive.getvalue()),), member="end2end.onnx")
    with pytest.raises(ModelError, match="hostile"):
        model_path(card)
    assert left_over(cache) == []
    assert not list(cache.parent.parent.rglob("end2end.onnx"))


def test_what_a_killed_job_left_is_cleared_away(site: Site, cache: Path):
    (cache / ".tmp-tiny.onnx").mkdir(parents=True)
    (cache / ".tmp-tiny.onnx" / "download").write_bytes(CONTENT[:100])
    assert model_path(make_card(urls=(site.put("a.onnx", CONTENT),))).read_bytes() == CONTENT
    assert left_over(cache) == ["tiny.onnx"]


def _fetch_in_a_process(card: Card, start: float, results) -> None:
    time.sleep(max(0.0, start - time.time()))
    results.put(hashlib.sha256(model_path(card).read_bytes()).hexdigest())


def test_parallel_jobs_fetch_once(site: Site, cache: Path):
    card = make_card(urls=(site.put("a.onnx", CONTENT),))
    context = multiprocessing.get_context("spawn")
    results, start = context.Queue(), time.time() + 1.5
    jobs = [
        context.Process(target=_fetch_in_a_process, args=(card, start, results)) for _ in range(2)
    ]
    for job in jobs:
        job.start()
    assert [results.get(timeout=60) for _ in jobs] == [SHA256, SHA256]
    for job in jobs:
        job.join()
    assert site.asked == ["/a.onnx"]
    assert left_over(cache) == ["tiny.onnx"]


def test_a_cache_that_may_only_be_read_is_said(monkeypatch, tmp_path):
    """Not by its mode: who is root may write anywhere."""
    import filelock

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("AUGLIFT_CACHE", str(tmp_path))
    monkeypatch.delenv("AUGLIFT_OFFLINE", raising=False)
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(ModelError, match="cannot be written to: Permission denied") as caught:
        model_path("rtmpose-m")
    assert "AUGLIFT_CACHE" in caught.value.hint
