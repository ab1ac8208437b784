from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from auglift.errors import ModelError
from auglift.storage.fetch import extract_member

CONTENT = bytes(range(256)) * 40


def write_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_member_is_found_in_any_folder(tmp_path: Path):
    archive = write_zip(
        tmp_path / "a.zip",
        {"20230831/rtmpose/end2end.onnx": CONTENT, "20230831/rtmpose/detail.json": b"{}"},
    )
    target = extract_member(archive, "end2end.onnx", tmp_path / "model")
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("names", [[], ["other.onnx"], ["a/end2end.onnx", "b/end2end.onnx"]])
def test_member_must_be_there_once(tmp_path: Path, names: list[str]):
    archive = write_zip(tmp_path / "a.zip", dict.fromkeys(names, CONTENT))
    count = 2 if len(names) == 2 else 0
    with pytest.raises(ModelError, match=f"{count} files called 'end2end.onnx'"):
        extract_member(archive, "end2end.onnx", tmp_path / "model")


@pytest.mark.parametrize("name", ["../end2end.onnx", "/etc/end2end.onnx", "..\\end2end.onnx"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str):
    archive = write_zip(tmp_path / "a.zip", {name: CONTENT, "end2end.onnx": CONTENT})
    with pytest.raises(ModelError, match="hostile"):
        extract_member(archive, "end2end.onnx", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_bomb_is_refused_unopened(tmp_path: Path):
    archive = write_zip(tmp_path / "a.zip", {"end2end.onnx": bytes(1_000_000)})
    with pytest.raises(ModelError, match="unpack to 1000000"):
        extract_member(archive, "end2end.onnx", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_bomb_that_lies_about_its_size_stops_there(tmp_path: Path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("end2end.onnx", bytes(1_000_000))
    true, told = (size.to_bytes(4, "little") for size in (1_000_000, 9_000))
    (tmp_path / "a.zip").write_bytes(content.getvalue().replace(true, told))
    with pytest.raises(ModelError, match="broken"):
        extract_member(tmp_path / "a.zip", "end2end.onnx", tmp_path / "model")
    assert (tmp_path / "model").stat().st_size <= 9_000


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_truncated_archive(tmp_path: Path, keep: float):
    archive = write_zip(tmp_path / "a.zip", {"end2end.onnx": CONTENT}, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * keep)])
    with pytest.raises(ModelError, match="broken"):
        extract_member(archive, "end2end.onnx", tmp_path / "model")


def test_altered_content_fails_its_checksum(tmp_path: Path):
    archive = write_zip(tmp_path / "a.zip", {"end2end.onnx": CONTENT}, zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    content[500] ^= 1
    archive.write_bytes(content)
    with pytest.raises(ModelError, match="broken"):
        extract_member(archive, "end2end.onnx", tmp_path / "model")


def set_in_headers(content: bytes, local_offset: int, value: int) -> bytes:
    """Overwrite a two-byte field of the member's local header and of the central directory."""
    changed, central = bytearray(content), content.index(b"PK\x01\x02")
    for place in (local_offset, central + local_offset + 2):
        changed[place : place + 2] = value.to_bytes(2, "little")
    return bytes(changed)


@pytest.mark.parametrize(
    ("local_offset", "value"), [(6, 1), (8, 99)], ids=["encrypted", "unknown compression"]
)
def test_archive_that_cannot_be_read(tmp_path: Path, local_offset: int, value: int):
    archive = write_zip(tmp_path / "a.zip", {"end2end.onnx": CONTENT})
    archive.write_bytes(set_in_headers(archive.read_bytes(), local_offset, value))
    with pytest.raises(ModelError, match="broken"):
        extract_member(archive, "end2end.onnx", tmp_path / "model")


def test_damaged_compression(tmp_path: Path):
    archive = write_zip(tmp_path / "a.zip", {"end2end.onnx": CONTENT})
    content = bytearray(archive.read_bytes())
    content[42:60] = b"\xff" * 18  # the first bytes after the local header and the name
    archive.write_bytes(content)
    with pytest.raises(ModelError, match="broken"):
        extract_member(archive, "end2end.onnx", tmp_path / "model")


def test_archive_that_promises_more_than_it_holds(tmp_path: Path):
    archive = write_zip(tmp_path / "a.zip", {"end2end.onnx": CONTENT}, zipfile.ZIP_STORED)
    size, more = (n.to_bytes(4, "little") for n in (len(CONTENT), 9 * len(CONTENT)))
    archive.write_bytes(archive.read_bytes().replace(size, more))
    with pytest.raises(ModelError, match="broken"):
        extract_member(archive, "end2end.onnx", tmp_path / "model")


def test_web_page_instead_of_an_archive(tmp_path: Path):
    (tmp_path / "a.zip").write_text("<html>please log in</html>")
    with pytest.raises(ModelError, match="broken"):
        extract_member(tmp_path / "a.zip", "end2end.onnx", tmp_path / "model")
