"""Which names of subjects are one person."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auglift.storage.subjects import people_of, person_of, virtual_subjects
from auglift.storage.table_metadata import TableMetadata


def said(**config: object) -> TableMetadata:
    return TableMetadata(
        kind="xycd", skeleton="h36m_17", fps=25.0, distortion="none", config=config
    )


@given(person=st.text(min_size=1), n_bodies=st.integers(2, 30))
def test_all_bodies_of_a_person_are_that_person(person: str, n_bodies: int) -> None:
    subjects = virtual_subjects(person, n_bodies)
    assert len(set(subjects)) == n_bodies
    assert {person_of(subject) for subject in subjects} == {person}


def test_a_single_body_has_the_persons_name() -> None:
    assert virtual_subjects("CMU94", 1) == ("CMU94",)


def test_only_a_number_behind_a_hyphen_is_a_bodys() -> None:
    assert person_of("CMU(8-action)-12") == "CMU(8-action)"
    assert person_of("A-2-1") == "A-2"
    for name in ("S1", "s03", "TS6", "-1", "P-", "P_1", "P-1a", "downtown-arguing_00"):
        assert person_of(name) == name


def test_people_and_their_bodies_are_in_order() -> None:
    subjects = ["S9-2", "S10-1", "S9-10", "S9-1", "S10-2", "S9-1"]
    people = people_of(subjects, said(bodies=10))
    assert list(people.items()) == [
        ("S10", ("S10-1", "S10-2")),
        ("S9", ("S9-1", "S9-10", "S9-2")),
    ]


def test_the_last_person_is_the_last_however_many_bodies_there_are() -> None:
    # As names S1-1 comes after S1(b)-1; as people, S1(b) comes after S1.
    people = ["S1", "S1(b)"]
    for n_bodies in (1, 3):
        subjects = [name for person in people for name in virtual_subjects(person, n_bodies)]
        assert max(people_of(subjects, said(bodies=n_bodies))) == "S1(b)"


def test_one_person_with_several_bodies_stays_one() -> None:
    assert people_of(virtual_subjects("S1", 3), said(bodies=3)) == {"S1": ("S1-1", "S1-2", "S1-3")}


def test_real_subjects_whose_names_differ_in_a_number_only_are_people() -> None:
    each = {"subject-1": ("subject-1",), "subject-2": ("subject-2",)}
    for table in (said(), said(detect_depth={"person": "gt-box"}), said(bodies=1)):
        assert people_of(each, table) == each


def test_where_names_leave_it_open_people_are_not_parted() -> None:
    found = people_of(["lab-1", "lab-2", "street-1"], said())
    assert found == {"lab": ("lab-1", "lab-2"), "street": ("street-1",)}


def test_nobody() -> None:
    assert people_of([], said()) == {}
