"""Archives: honest ones come out whole; those that deceive leave nothing behind."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile

import pytest

from auglift.errors import AugliftError, BrokenFileError, DataError, MissingDataError
from auglift.storage import archives
from auglift.storage.archives import is_archive, unpack

FILES = {"S1/Pose 1.cdf": b"pose" * 1000, "S1/deep/er.txt": b"", "readme.txt": b"hello"}


def write_zip(path, files, **attributes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.writestr(info, content)
    return path


def write_tar(path, files, **attributes):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return path


WRITERS = {"zip": write_zip, "tgz": write_tar, "tar.gz": write_tar}


@pytest.mark.parametrize("suffix", WRITERS)
def test_all_comes_out(tmp_path, suffix):
    path = WRITERS[suffix](tmp_path / f"a.{suffix}", FILES)
    assert is_archive(path)
    folder = unpack(path, tmp_path / "out")
    assert {p.relative_to(folder).as_posix(): p.read_bytes()
            for p in folder.rglob("*") if p.is_file()} == FILES  # fmt: skip
    (folder / "readme.txt").write_text("mine")
    unpack(path, folder)  # there already: untouched
    assert (folder / "readme.txt").read_text() == "mine"


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil", "..\\evil", "C:/evil"])
def test_nothing_is_written_outside(tmp_path, suffix, name):
    path = WRITERS[suffix](tmp_path / f"a.{suffix}", FILES | {name: b"x"})
    with pytest.raises(DataError, match="outside"):
        unpack(path, tmp_path / "in" / "out")
    assert sorted(p.name for p in tmp_path.rglob("*")) == sorted([path.name, "in"])


def test_links_are_refused(tmp_path):
    link = write_zip(tmp_path / "a.zip", {"link": b"/etc/passwd"}, external_attr=0o120777 << 16)
    with pytest.raises(DataError, match="link"):
        unpack(link, tmp_path / "out")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE):
        path = write_tar(tmp_path / "a.tgz", {"x": b""}, type=kind, linkname="/etc/passwd")
        with pytest.raises(DataError, match="link or a device"):
            unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_GROWTH", 50)
    path = write_zip(tmp_path / "a.zip", {"zeros": bytes(10**6)})
    with pytest.raises(DataError, match="bomb"):
        unpack(path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_member_larger_than_it_says(tmp_path):
    """The directory of the archive is made to lie."""
    path = write_zip(tmp_path / "a.zip", {"x": os.urandom(5000)})
    content = path.read_bytes()
    path.write_bytes(content.replace((5000).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    with pytest.raises((DataError, BrokenFileError)):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_disk_too_small(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "a.tgz", FILES)
    monkeypatch.setattr(archives, "_SPARE_BYTES", 10**18)
    with pytest.raises(AugliftError, match="are free"):
        unpack(path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tgz"]


@pytest.mark.parametrize("suffix", ["zip", "tgz"])
def test_truncated(tmp_path, suffix):
    path = WRITERS[suffix](tmp_path / f"a.{suffix}", {"x": os.urandom(50_000)})
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(BrokenFileError, match="not a readable archive"):
        unpack(path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_no_archive(tmp_path):
    with pytest.raises(MissingDataError):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not is_archive(tmp_path / "a.npz")
