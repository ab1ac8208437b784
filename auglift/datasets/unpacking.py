"""Archives among raw data, unpacked beside themselves: `D3_Positions.tgz` → `D3_Positions/`."""

from __future__ import annotations

import logging
from pathlib import Path

from auglift.executors import Advance
from auglift.storage.archives import SUFFIXES, is_archive, unpack

logger = logging.getLogger(__name__)


def find_archives(folder: Path) -> list[Path]:
    """Archives below a folder that are not unpacked yet."""
    found = sorted(path for path in folder.rglob("[!.]*") if path.is_file() and is_archive(path))
    return [path for path in found if not unpacked_folder(path).is_dir()]


def unpack_all(archives: list[Path], advance: Advance) -> None:
    """Unpack each; one that is there already stays as it is."""
    for archive in archives:
        logger.info("unpacking %s", archive)
        unpack(archive, unpacked_folder(archive))
        advance(note=archive.name)


def unpacked_folder(archive: Path) -> Path:
    """Where an archive is unpacked to."""
    suffix = next(s for s in SUFFIXES if archive.name.lower().endswith(s))
    return archive.with_name(archive.name[: -len(suffix)])
