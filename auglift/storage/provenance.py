"""What a result was made with: kept in its metadata, and compared before it counts as done."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from auglift.config import StageConfig, as_dict
from auglift.storage.fetch import file_sha256
from auglift.storage.remote_path import RemotePath


def lasting_settings(config: StageConfig) -> dict[str, Any]:
    """The settings that affect the result.

    A folder, a shard or the number of workers must not be written down: the same work would give
    other bytes.
    """
    lasting = {f.name for f in fields(config) if f.metadata.get("affects_result", True)}
    return {name: value for name, value in as_dict(config).items() if name in lasting}


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In words, each setting that has another value than before."""
    return [
        f"{name} was {before.get(name)}, now {now.get(name)}"
        for name in dict.fromkeys([*now, *before])
        if before.get(name) != now.get(name)
    ]


def fingerprint(files: Iterable[Path]) -> str:
    """Sixteen hex digits over the names and contents of files, in their order.

    Of a file in an object store its entity tag stands for the content, which would have to be
    fetched to be read.
    """
    state = hashlib.sha256()
    for path in files:
        content = path.version() if isinstance(path, RemotePath) else file_sha256(path)
        state.update(f"{path.name}\0{content}\0".encode())
    return state.hexdigest()[:16]
