"""Sentences on the core that depend on what was found: every sign and verdict is made of numbers.

In: `Results`. Out: sentences; none about what was not run.
"""

from __future__ import annotations

from collections.abc import Iterator

from formats import CONTROLS, KINDS, NAMES, PAPER, signed
from gains import Change, difference
from grids import TESTS
from measure import LESS_OFFSET, N_BINS
from phrases import AIMS, against, aimed, verdict, with_interval
from results import ID, OOD, Cell, Results, averaged, core_cell
from tables import stratum, stratum_error

WORST_TRANSFER = 25.0
"""At most so much worse, per cent, with casp learned from the other data set."""


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
        yield aimed(what, p1, p2, AIMS["matched"])


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
                "mm). They are other joints, as xy's errors show: the two changes cannot be held "
                "against each other."
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
