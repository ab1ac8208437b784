"""Sentences of the report that depend on what was found: every sign and verdict is made of numbers.

In: `Results`. Out: sentences; none about what was not run.
"""

from __future__ import annotations

from collections.abc import Iterator

from conditions import DEFAULT, STUDY, STUDY_UNSEEN, SYSTEMATIC, VIEWS
from gains import Change, difference
from grids import FASTEST, TESTS, UNSPOILT
from measure import LESS_OFFSET, N_BINS
from results import ID, OOD, Cell, Results, averaged, core_cell
from tables import (
    CONTROLS,
    FIRST_STUDY,
    KINDS,
    NAMES,
    PAPER,
    column_name,
    noise_change,
    signed,
    stratum,
    stratum_error,
    study_cell,
    variant_cell,
    view_cell,
)

WORST_TRANSFER = 25.0
"""At most so much worse, per cent, with casp learned from the other data set."""
AIMS = {"matched": (15.0, 15.0), "unseen": (8.0, 12.0)}
"""Least gains in P1 and P2, per cent, that were aimed at before anything was trained."""
LEAST_ERRORS = {("casp", "p1"): 46.0, ("casp", "p2"): 36.0, ("xy", "p1"): 62.0}
"""Millimetres on CMU under the first study's errors, of several frames; aimed at likewise."""


def with_interval(found: Change, unit: str = "%") -> str:
    """`−12.3 % (−15.0 … −9.9; seeds −13.0 … −11.8)`"""
    low, high = found.interval
    said = f"{signed(low)} … {signed(high)}"
    if len(found.by_seed) > 1:
        said += f"; seeds {signed(min(found.by_seed))} … {signed(max(found.by_seed))}"
    return f"{signed(found.value)} {unit} ({said})"


def verdict(found: Change) -> str:
    """Of a change of the error."""
    if not found.sure:
        return "no sure change"
    return "a gain" if found.value < 0 else "a loss"


def against(found: Change, paper: float) -> str:
    """Whether a change agrees with the paper's number."""
    low, high = found.interval
    if low <= paper <= high:
        return "agrees with it: the paper's number lies within the interval"
    if not found.sure:
        return "does not show it: the interval holds 0 and not the paper's number"
    if (found.value < 0) != (paper < 0):
        return "contradicts it: the sign is the other one"
    larger = abs(found.value) > abs(paper)
    return f"agrees in sign and is {'larger' if larger else 'smaller'}"


def headline(results: Results) -> Iterator[str]:
    """Whether depth helps, in both columns."""
    for (name, columns), kind in zip(KINDS.items(), ("ID", "OOD"), strict=True):
        p1, p2 = (results.mean_gain(columns, "casp", "xy", key) for key in ("p1", "p2"))
        if p1 is None or p2 is None:
            continue
        yield (
            f"**{name.capitalize()}** casp changes P1 against xy by {with_interval(p1)} and P2 by "
            f"{with_interval(p2)}, averaged over {_count(results)}: {verdict(p1)} in P1 and "
            f"{verdict(p2)} in P2. The paper reports {signed(PAPER[kind])} %; ours "
            f"{against(p1, PAPER[kind])}."
        )
    yield from _where_more(results)
    yield from _aims(results)
    yield from _seeds(results)


def _seeds(results: Results) -> Iterator[str]:
    """Of how many seeds, motions and people the numbers are."""
    counts = [f"{arch} {results.fewest_seeds(arch)}" for arch in results.architectures("core")]
    if not counts:
        return
    yield (
        f"Seeds: {', '.join(counts)}; one in everything beyond these four architectures × xy, xyc, "
        "xycd, casp × two data sets. The intervals are over motions and hold nothing of what "
        "another seed would change; the range over seeds stands beside them."
    )
    sizes = [
        f"{NAMES[name]} {n_motions} motions of {n_people} people"
        for name, (n_motions, n_people) in results.tests().items()
    ]
    yield f"Tests: {', '.join(sizes)}. The intervals speak of such motions, not of other people."


def _count(results: Results) -> str:
    return f"{len(results.architectures('core'))} architectures and two data sets"


def _where_more(results: Results) -> Iterator[str]:
    """Whether depth helps more on another data set, as the paper finds."""
    inside, outside = (results.mean_gain(columns, "casp", "xy") for columns in (ID, OOD))
    if inside is None or outside is None:
        return
    more = difference(outside, inside)
    if not more.sure:
        said = "no sure difference, where the paper's gain across data sets is the larger one"
    elif more.value < 0:
        said = "the larger gain is across data sets, as in the paper"
    else:
        said = "the larger gain is in distribution, unlike in the paper"
    yield (
        "P1's change across data sets minus that in distribution: "
        f"{with_interval(more, 'points')}: {said}."
    )


def _aims(results: Results) -> Iterator[str]:
    p1, p2 = (results.mean_gain(ID, "casp", "xy", key) for key in ("p1", "p2"))
    if p1 and p2:
        what = "casp against xy in distribution (stated for the first study's errors, see there)"
        yield _aimed(what, p1, p2, AIMS["matched"])


def _aimed(what: str, p1: Change, p2: Change, aims: tuple[float, float]) -> str:
    met = [-found.value >= aim for found, aim in zip((p1, p2), aims, strict=True)]
    said = {True: "met", False: "missed"}
    return (
        f"Aim for {what}: at least {aims[0]:.0f} % in P1 ({said[met[0]]}, {with_interval(p1)}) and "
        f"{aims[1]:.0f} % in P2 ({said[met[1]]}, {with_interval(p2)})."
    )


def transfer(results: Results) -> Iterator[str]:
    """How much worse a lifter is on another data set, against the aim."""
    for key, said in (("p1", "with"), ("p1" + LESS_OFFSET, "without")):
        found = averaged(
            results.transfer(arch, "casp", there, key)
            for arch in results.architectures("core")
            for there in TESTS
        )
        if found is not None:
            met = "met" if found.value <= WORST_TRANSFER else "missed"
            yield (
                f"Casp learned from the other data set, {said} the offset between the sets: P1 "
                f"{with_interval(found)}; at most {WORST_TRANSFER:.0f} % worse was aimed at "
                f"({met})."
            )


def controls(results: Results) -> Iterator[str]:
    """What true, shuffled and constant depth do, beside the input that holds the rest of casp."""
    for depth in CONTROLS:
        for name, columns in KINDS.items():
            found = results.mean_control(columns, depth, baseline="xyc")
            if found is not None:
                said = _true_helps(found) if depth == "true" else _nothing_helps(found)
                yield f"{depth.capitalize()} depth, {name}: {with_interval(found)}: {said}."


def _true_helps(found: Change) -> str:
    helps = found.sure and found.value < 0
    return "a gain, as expected" if helps else "no sure gain, where one was to be expected"


def _nothing_helps(found: Change) -> str:
    if not found.sure:
        return "no sure change, as expected"
    return (
        f"{verdict(found)} where none was to be expected: so much may two inputs differ that hold "
        "the same"
    )


def beyond(results: Results) -> Iterator[str]:
    """Casp against xyc and xycd; where it is no better than xyc, why."""
    for name, columns in KINDS.items():
        depth, descriptor = (results.mean_gain(columns, "casp", other) for other in ("xyc", "xycd"))
        if depth is None or descriptor is None:
            continue
        yield (
            f"{name.capitalize()}, beyond confidence, depth is worth {with_interval(depth)}: "
            f"{verdict(depth)}. Median, minimum and maximum instead of one point are worth "
            f"{with_interval(descriptor)}: {verdict(descriptor)}."
        )
    for arch in results.architectures("core"):
        for name, columns in KINDS.items():
            found = results.gain(arch, columns, "casp", "xyc")
            if found is not None and not (found.sure and found.value < 0):
                yield _why(results, arch, name, found)


def _why(results: Results, arch: str, name: str, found: Change) -> str:
    """Where casp does not beat xyc: can this network use depth at all?"""
    columns = KINDS[name]
    true = averaged(
        results.change(
            Cell("controls", arch, column, "casp", "true"), core_cell(arch, column, "xyc")
        )
        for column in columns
    )
    said = f"{arch}, {name}: casp does not surely beat xyc ({with_interval(found)})."
    if true is None:
        return said
    if true.sure and true.value < 0:
        return (
            f"{said} With true depth it does ({with_interval(true)}): the network can use depth, "
            "and the depth's errors take the gain away."
        )
    return (
        f"{said} Nor does it with true depth ({with_interval(true)}): so short a training of this "
        "network does not learn to use depth."
    )


def strata(results: Results) -> Iterator[str]:
    """Hidden joints, novel poses."""
    for name, columns in KINDS.items():
        free, hidden = (
            stratum(results, columns, "occlusion of the joint", i, "p1") for i in range(2)
        )
        free_mm, hidden_mm = (
            stratum_error(results, columns, "occlusion of the joint", i) for i in range(2)
        )
        if free is not None and hidden is not None:
            yield (
                f"{name.capitalize()}, free joints change by {with_interval(free)} (xy: "
                f"{free_mm:.0f} mm), hidden ones by {with_interval(hidden)} (xy: {hidden_mm:.0f} "
                "mm). They are other joints: those that hide others are limbs, those that are "
                "hidden often the trunk's."
            )
    for name, columns in KINDS.items():
        novel = stratum(results, columns, "pose novelty", N_BINS - 1, "p1")
        mean = results.mean_gain(columns, "casp", "xy")
        if novel is not None and mean is not None:
            yield f"{name.capitalize()}, {_novel(novel, difference(novel, mean))}"


def _novel(novel: Change, more: Change) -> str:
    """Whether novel poses gain more, as in the paper."""
    if not more.sure:
        said = "no sure difference, where in the paper novel poses gain more"
    elif more.value < 0:
        said = "novel poses gain more, as in the paper"
    else:
        said = "novel poses gain less, unlike in the paper"
    return (
        f"the most novel fifth of the poses changes by {with_interval(novel)}, minus all poses "
        f"{with_interval(more, 'points')}: {said} ({signed(PAPER['novel'])} % beside "
        f"{signed(PAPER['OOD'])} %)."
    )


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
            yield _aimed(f"the systematic family, {said}", p1, p2, AIMS["unseen"])
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
                yield _aimed(f"casp against xy on CMU, {frames}{said}", p1, p2, aims)


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
