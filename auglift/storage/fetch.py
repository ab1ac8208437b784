"""Bring a model's file from the internet, whole and verified, or not at all.

In:  a card with addresses, and the path where its file shall lie.
Out: that file, with the card's hash. One log line says what is fetched, how large it is, and under
     which licence.

Nothing is trusted before its hash is: an archive may be hostile (names that lead out of the folder,
a member that unpacks to terabytes), and a server may answer with a web page.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from auglift.errors import ModelError
from auglift.storage.atomic import TEMPORARY_PREFIX, sync
from auglift.storage.cards import UNKNOWN, Card

logger = logging.getLogger(__name__)

# Weights hardly shrink in a zip, and no model comes near this size.
LARGEST_RATIO = 100
LARGEST_BYTES = 8 * 1024**3


def fetch(card: Card, path: Path) -> None:
    """Bring the card's file to `path` from the first of its addresses that has it.

    The caller sees to it that no other process fetches to the same path.
    """
    folder = path.with_name(TEMPORARY_PREFIX + path.name)
    faults = []
    for url in card.urls:
        shutil.rmtree(folder, ignore_errors=True)  # a killed job may have left it
        folder.mkdir(parents=True)
        try:
            file = _download(card, url, folder)
            if card.member is not None:
                file = extract_member(file, card.member, folder / "member")
            _check(file, card)
            sync(file)
            os.replace(file, path)
            sync(path.parent)
            return
        except (ModelError, OSError) as error:  # all errors of requests are OSErrors
            faults.append(f"{url}: {error.what if isinstance(error, ModelError) else error}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    raise ModelError(
        f"the model '{card.id}' could not be fetched: {'; '.join(faults)}",
        where=path,
        hint=f"try again later, or put {path.name} there yourself",
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def extract_member(archive: Path, member: str, target: Path) -> Path:
    """Write the one file called `member`, in whatever folder of the zip it lies, to `target`."""
    try:
        with zipfile.ZipFile(archive) as zip_file:
            info = _safe_member(zip_file, member)
            # zipfile stops at the size that was declared, and then checks the CRC.
            with zip_file.open(info) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ModelError(f"the archive is broken: {error}", where=archive) from error
    return target


def _safe_member(zip_file: zipfile.ZipFile, member: str) -> zipfile.ZipInfo:
    for info in zip_file.infolist():
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise ModelError(f"the archive is hostile: it holds '{info.filename}'")
    found = [i for i in zip_file.infolist() if PurePosixPath(i.filename).name == member]
    if len(found) != 1:
        raise ModelError(f"the archive holds {len(found)} files called '{member}' instead of one")
    (info,) = found
    if info.file_size > min(LARGEST_BYTES, LARGEST_RATIO * max(info.compress_size, 1)):
        raise ModelError(
            f"the archive is hostile: {info.compress_size} bytes unpack to {info.file_size}"
        )
    return info


def _download(card: Card, url: str, folder: Path) -> Path:
    import pooch

    pooch.get_logger().setLevel("WARNING")  # the announcement says it all
    downloader = pooch.HTTPDownloader(progressbar=_Announcement(card, url))
    pooch.retrieve(url, known_hash=None, fname="download", path=folder, downloader=downloader)
    return folder / "download"


class _Announcement:
    """In the place of pooch's progress bar: logs one line once the server has told the size."""

    def __init__(self, card: Card, url: str) -> None:
        self._card, self._url = card, url

    @property
    def total(self) -> int:
        """Size in bytes, which pooch sets; 0 where the server does not tell."""
        raise NotImplementedError("pooch only sets it")

    @total.setter
    def total(self, n_bytes: int) -> None:
        size = f"{n_bytes / 1e6:.1f} MB" if n_bytes else "of unknown size"
        limit = ", for non-commercial use only" if self._card.non_commercial else ""
        logger.info(
            "fetching %s, %s, licence %s%s, from %s",
            *(self._card.id, size, self._card.licence, limit, self._url),
        )

    def update(self, n_bytes: int) -> None:
        """Called for each chunk."""

    def reset(self) -> None:
        """Called at the end."""

    def close(self) -> None:
        """Called at the end."""


def _check(file: Path, card: Card) -> None:
    if card.sha256 != UNKNOWN:
        found = file_sha256(file)
        if found != card.sha256:
            raise ModelError(f"what came has the SHA-256 {found}, not {card.sha256}")
        return
    with file.open("rb") as content:
        if content.read(1) in (b"", b"<"):
            raise ModelError("what came is empty, or a web page")
