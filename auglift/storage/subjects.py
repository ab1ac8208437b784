"""Names of subjects, and which of them are one person.

`auglift simulate` lets several virtual subjects, each with a body of their own, do the motions of
one person: `CMU94-1` … `CMU94-20`. Who has learned from one of them knows the motions of all, so
that only whole people can be held out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from auglift.storage.table_metadata import TableMetadata

People = Mapping[str, tuple[str, ...]]
"""The subjects that each person is, both in alphabetical order."""

_VIRTUAL = re.compile(r"(?P<person>.+)-[0-9]+", re.DOTALL)


def virtual_subjects(person: str, n_bodies: int) -> tuple[str, ...]:
    """What a person's bodies are called; a single one has the person's own name."""
    if n_bodies == 1:
        return (person,)
    return tuple(f"{person}-{i + 1}" for i in range(n_bodies))


def person_of(subject: str) -> str:
    """CMU94-9 → CMU94; the name itself where no number of a body ends it."""
    found = _VIRTUAL.fullmatch(subject)
    return found["person"] if found else subject


def people_of(subjects: Iterable[str], metadata: TableMetadata) -> People:
    """The people of a table: names that differ only in a number behind a hyphen are one person.

    By the name alone, whoever wrote the table: to take several real people for one costs rows, but
    to take one for several validates on motions that were learned from. Only where the whole table
    would be a single person, and was not simulated with several bodies, is each subject a person:
    real ones may all be called `subject-1`, `subject-2`.
    """
    names = sorted(set(subjects))
    people: dict[str, list[str]] = {}
    for name in names:
        people.setdefault(person_of(name), []).append(name)
    if len(people) == 1 and metadata.config.get("bodies", 1) == 1:
        people = {name: [name] for name in names}
    return {person: tuple(people[person]) for person in sorted(people)}
