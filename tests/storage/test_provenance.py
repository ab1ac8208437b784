"""What counts as the same: settings that matter, and the contents of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from auglift.config import StageConfig, setting
from auglift.storage.provenance import changed_settings, fingerprint, lasting_settings


@dataclass(frozen=True, kw_only=True)
class ToyConfig(StageConfig):
    size: int = setting(1)
    place: Path = setting(Path("a"), affects_result=False)


def test_only_what_affects_the_result_lasts() -> None:
    config = ToyConfig(size=3, root=Path("there"), place=Path("b"), device="cuda")
    assert lasting_settings(config) == {"size": 3}


def test_changes_are_said_in_words() -> None:
    assert changed_settings({"a": 1, "b": 2, "old": 3}, {"a": 1, "b": 4, "new": 5}) == [
        "b was 2, now 4",
        "new was None, now 5",
        "old was 3, now None",
    ]
    assert changed_settings({"a": [1, 2]}, {"a": [1, 2]}) == []


def test_the_fingerprint_knows_names_contents_and_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    before = fingerprint([one, two])
    assert len(before) == 16
    assert fingerprint([one, two]) == before
    assert fingerprint([two, one]) != before
    assert fingerprint([one]) != before
    two.write_bytes(b"3")
    assert fingerprint([one, two]) != before
    two.write_bytes(b"2")
    assert fingerprint([one, two.rename(tmp_path / "three")]) != before
