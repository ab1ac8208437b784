"""Archives of downloads, unpacked with suspicion: `.zip`, `.tgz`, `.tar.gz`, `.tar`.

A member may not leave the folder, be a link or a device, or be larger than what it says; and an
archive may not grow beyond what the disk holds, or a thousand times its own size. The folder
appears whole, under its name, or not at all.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from auglift.errors import AugliftError, BrokenFileError, DataError, MissingDataError
from auglift.storage.atomic import TEMPORARY_PREFIX

SUFFIXES = (".zip", ".tgz", ".tar.gz", ".tar")

# Text and zeros shrink a hundredfold; what grows a thousandfold was made to fill a disk.
_MOST_GROWTH = 1000
_SPARE_BYTES = 2**30
_CHUNK = 2**20
_DECEPTIVE = "do not use it; download the archive again from where it comes from"


@dataclass(frozen=True)
class _Member:
    name: str
    n_bytes: int


def is_archive(path: Path) -> bool:
    """By its name."""
    return path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack to `folder`, unless it is there already."""
    if folder.is_dir():
        return folder
    if not archive.is_file():
        raise MissingDataError("no such archive", where=archive)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=folder.parent))
    temporary.chmod(0o755)  # for the others who may read the folder around it
    try:
        _unpack_to(archive, temporary)
        os.replace(temporary, folder)
    except OSError as error:
        raise AugliftError(
            f"the archive could not be unpacked: {error}",
            where=archive,
            hint="make room on the disk, or unpack it yourself and name the folder",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _unpack_to(archive: Path, folder: Path) -> None:
    try:
        opened = _zip_members if zipfile.is_zipfile(archive) else _tar_members
        _check_total(archive, folder, [member for member, _ in opened(archive, read=False)])
        for member, content in opened(archive, read=True):
            assert content is not None
            _write(content, folder / _safe(member.name, archive), member, archive)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError,
            NotImplementedError, RuntimeError) as error:  # fmt: skip
        raise BrokenFileError(
            f"not a readable archive: {error}", where=archive, hint="download it again"
        ) from error


def _check_total(archive: Path, folder: Path, members: list[_Member]) -> None:
    for member in members:
        _safe(member.name, archive)
    total, size = sum(member.n_bytes for member in members), archive.stat().st_size
    if total > _MOST_GROWTH * size:
        raise DataError(
            f"it would grow from {size:,} to {total:,} bytes: a bomb",
            where=archive,
            hint=_DECEPTIVE,
        )
    free = shutil.disk_usage(folder).free
    if total > free - _SPARE_BYTES:
        raise AugliftError(
            f"it needs {total / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free",
            where=folder.parent,
            hint="make room, or unpack it elsewhere and say --data FOLDER",
        )


def _safe(name: str, archive: Path) -> PurePosixPath:
    """The member's place below the folder; refused if it is not below it."""
    path = PurePosixPath(name.replace("\\", "/"))
    drive = path.parts and path.parts[0].endswith(":")
    if path.is_absolute() or ".." in path.parts or drive or not path.parts or "\0" in name:
        raise DataError(
            f"it would write outside its folder: {name!r}", where=archive, hint=_DECEPTIVE
        )
    return path


def _zip_members(archive: Path, read: bool) -> Iterator[tuple[_Member, IO[bytes] | None]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = (info.external_attr >> 16) & 0o170000
            if kind == 0o120000:
                raise DataError(f"it holds a link: {info.filename}", where=archive, hint=_DECEPTIVE)
            if info.is_dir():
                continue
            member = _Member(info.filename, info.file_size)
            if read:
                with opened.open(info) as content:
                    yield member, content
            else:
                yield member, None


def _tar_members(archive: Path, read: bool) -> Iterator[tuple[_Member, IO[bytes] | None]]:
    with tarfile.open(archive) as opened:
        for info in opened:
            if info.isdir():
                continue
            if not info.isfile():
                raise DataError(
                    f"it holds a link or a device: {info.name}", where=archive, hint=_DECEPTIVE
                )
            yield _Member(info.name, info.size), opened.extractfile(info) if read else None


def _write(content: IO[bytes], path: Path, member: _Member, archive: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    n_bytes = 0
    with path.open("xb") as file:
        while chunk := content.read(_CHUNK):
            n_bytes += len(chunk)
            if n_bytes > member.n_bytes:
                raise DataError(
                    f"{member.name} is larger than it says", where=archive, hint=_DECEPTIVE
                )
            file.write(chunk)
