"""Sentences on the parts beside the core, made of numbers as those of `wording.py`."""

from __future__ import annotations

from collections.abc import Iterator

from conditions import DEFAULT, STUDY, STUDY_UNSEEN, SYSTEMATIC, VIEWS
from formats import PAPER, column_name, signed
from grids import FASTEST, UNSPOILT
from part_tables import FIRST_STUDY, noise_change, study_cell, variant_cell, view_cell
from phrases import AIMS, against, aimed, with_interval
from results import ID, OOD, Results, averaged, core_cell

LEAST_ERRORS = {("casp", "p1"): 46.0, ("casp", "p2"): 36.0, ("xy", "p1"): 62.0}
"""Millimetres on CMU under the first study's errors, of several frames; aimed at likewise."""


def oracle(results: Results) -> Iterator[str]:
    """Three depth bins of the true depth."""
    changes = []
    for column in OOD:
        cell, xy = variant_cell("ordinal, true depth", column), core_cell(FASTEST, column, "xy")
        changes.append(results.change(cell, xy))
    found = averaged(changes)
    if found is not None:
        yield (
            "An oracle that says of each joint whether it is nearer than the root, level with it "
            f"or farther changes P1 across data sets by {with_interval(found)}; the paper reports "
            f"about {signed(PAPER['ordinal'])} %; ours {against(found, PAPER['ordinal'])}."
        )


def noise(results: Results) -> Iterator[str]:
    """A family of errors that training has not seen."""
    for label, said in {
        DEFAULT: "of which the default holds half and training's spoiling of depth some",
        UNSPOILT: "of which the default holds half, and training spoilt nothing more",
    }.items():
        p1, p2 = (
            noise_change(results, label, DEFAULT, SYSTEMATIC, ID[0], key) for key in ("p1", "p2")
        )
        if p1 and p2:
            yield aimed(f"the systematic family, {said}", p1, p2, AIMS["unseen"])
    seen, seen_2 = (
        noise_change(results, SYSTEMATIC, SYSTEMATIC, SYSTEMATIC, ID[0], key)
        for key in ("p1", "p2")
    )
    if seen and seen_2:
        yield (
            f"Trained with that family: {with_interval(seen)} in P1, {with_interval(seen_2)} in P2."
        )


def study(results: Results) -> Iterator[str]:
    """Casp's gain under the first study's errors, beside its gain."""
    for key, i in (("p1", 0), ("p2", 1)):
        found = results.change(*(study_cell(name, ID[0]) for name in ("casp", "xy")), key)
        if found is None:
            continue
        casp, xy = (FIRST_STUDY[name][0][i] for name in ("casp", "xy"))
        yield (
            f"Casp changes {key.upper()} on CMU by {with_interval(found)} against xy; in the first "
            f"study by {signed(100 * (casp / xy - 1))} %."
        )
    yield from _study_gains(results)
    for (variant, key), aim in LEAST_ERRORS.items():
        error = results.error(study_cell(f"{variant}, 9 frames", ID[0]), key)
        if error is not None:
            met = "met" if error.mean <= aim else "missed"
            yield (
                f"Aim for {variant} of 9 frames on CMU: {key.upper()} at most {aim:.0f} mm ({met}, "
                f"{error.mean:.1f} mm)."
            )


def _study_gains(results: Results) -> Iterator[str]:
    """The gains that were aimed at, of one frame and of several, with errors seen and unseen."""
    unseen = ", under the systematic family, which the simulation does not have"
    for under, spoiling, said, aims in (
        (STUDY, "", "", AIMS["matched"]),
        (STUDY_UNSEEN, "", f"{unseen} but training's spoiling of depth resembles", AIMS["unseen"]),
        (STUDY_UNSEEN, f", {UNSPOILT}", f"{unseen}, learned from unspoilt depth", AIMS["unseen"]),
    ):
        for frames, how in (("one frame", ""), ("9 frames", ", 9 frames")):
            ours, xy = (f"casp{how}{spoiling}", f"xy{how}")
            pair = [study_cell(name, ID[0], under) for name in (ours, xy)]
            p1, p2 = (results.change(*pair, key) for key in ("p1", "p2"))
            if p1 and p2:
                yield aimed(f"casp against xy on CMU, {frames}{said}", p1, p2, aims)


def views(results: Results) -> Iterator[str]:
    """Whether more views still help."""
    before, last = VIEWS[-2:]
    found = [
        (column, results.change(*(view_cell(n, column, "casp") for n in (last, before))))
        for column in (ID[0], OOD[0])
    ]
    changes = [f"{with_interval(one)}, {column_name(column)}" for column, one in found if one]
    if changes:
        yield (
            f"{last} views instead of {before} change P1 of casp by {'; '.join(changes)}. Each "
            "view is another stretch of its motion, so that the curve is of both."
        )
