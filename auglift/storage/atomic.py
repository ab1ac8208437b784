"""Whole or not at all: every file that auglift writes goes through here.

A killed job leaves a `.tmp-…` file behind and never a half-written result. What belongs to an
address is made on this machine, and put there once it is whole.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auglift.errors import AugliftError
from auglift.storage.remote_path import RemotePath, uploading

TEMPORARY_PREFIX = ".tmp-"

_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success fsync it and rename it to `path`.

    The temporary file keeps the suffix of `path`, because writers choose a format by it.
    """
    if isinstance(path, RemotePath):
        with uploading(path) as temporary:
            yield temporary
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode("utf-8"))


def sync(path: Path) -> None:
    """Flush a file, or a folder's list of names, to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def telling_of_the_disk(path: Path, what: str) -> Iterator[None]:
    """Turn the system's refusal to write `what` to `path` into an error that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in _DISK_IS_FULL
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise AugliftError(
            f"{what} cannot be written: {reason}",
            where=path,
            hint="free some space and run the same command again: finished files are kept"
            if full
            else "see that the folder exists and may be written, then run the command again",
        ) from error
