"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The workplace's folder of real weights, motion and videos; never part of the project."""
    default = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("AUGLIFT_SHARED", default))
    if not folder.is_dir():
        pytest.skip(f"no folder {folder.name}/ beside the checkout (or in AUGLIFT_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def no_auglift_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's AUGLIFT_* settings must not reach the tests."""
    for name in list(os.environ):
        if name.startswith("AUGLIFT_"):
            monkeypatch.delenv(name)
