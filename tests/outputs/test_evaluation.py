"""From poses to records, tables, plots and the report."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from auglift.geometry.benchmark import Benchmark, make_benchmark
from auglift.geometry.metrics import measure as metric
from auglift.geometry.procrustes import centre_on_root
from auglift.geometry.skeleton import H36M_17
from auglift.geometry.strata import body_parts
from auglift.outputs import evaluation_tables as tables
from auglift.outputs.evaluation_cells import Measuring, measure, with_intervals
from auglift.outputs.evaluation_formats import as_csv, as_latex, as_markdown
from auglift.outputs.evaluation_plots import bars, learning_curves, lines
from auglift.outputs.evaluation_report import page, write_report
from auglift.outputs.evaluation_results import (
    Curve,
    Difference,
    EvaluateResult,
    LifterInfo,
    as_document,
)
from auglift.outputs.worst_frames import draw_worst, write_pictures

ALL = ("p1", "p2", "p3", "pck", "auc", "mpjve", "accel")
N_FRAMES = 10
TAKES = 6


def a_benchmark(dataset: str = "h36m") -> Benchmark:
    rng = np.random.default_rng(0)
    n = TAKES * N_FRAMES
    numbers = np.repeat(np.arange(TAKES), N_FRAMES)
    texts = {
        "sequence": [f"{dataset}/S{k % 2}/Act_{k}/cam" for k in numbers],
        "subject": [f"S{k % 2}" for k in numbers],
        "action": [f"Act_{k}" for k in numbers],
        "camera_name": ["cam"] * n,
    }
    columns = {
        **{name: np.array(values, object) for name, values in texts.items()},
        "person": np.zeros(n, int),
        "frame": np.tile(np.arange(N_FRAMES), TAKES),
        "time_s": np.tile(np.arange(N_FRAMES) / 50, TAKES),
        "pose_3d": 0.3 * rng.normal(size=(n, 17, 3)) + [0, 0, 4.0],
        "visible": np.ones((n, 17), bool),
        "detected": np.arange(n) != 3,
        "joint_confidence": rng.random((n, 17)),
    }
    starts = np.arange(0, n + 1, N_FRAMES)
    return make_benchmark(dataset, "test", columns, starts, H36M_17)


def predictions(benchmark: Benchmark, noise: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    poses = centre_on_root(benchmark.truth.pose_3d, H36M_17)
    poses = poses + noise * rng.normal(size=poses.shape)
    poses[~benchmark.columns["detected"]] = np.nan
    return poses


def a_result(datasets=("h36m", "3dpw"), joints="dataset", noises=(0.05, 0.02)) -> EvaluateResult:
    """Two lifters, the second of which is better, with everything that there can be."""
    how = Measuring(protocols=ALL, joints=joints, details=True, worst=4)
    cells, differences = [], []
    for dataset in datasets:
        test = a_benchmark(dataset)
        strata = [body_parts(H36M_17, len(test.truth))]
        measured = [
            measure(f"run_{i} <&>", predictions(test, noise), test, how, strata)
            for i, noise in enumerate(noises)
        ]
        found = with_intervals(measured, 200, 0)
        cells += found[0]
        differences += found[1]
    records = tuple({"epoch": float(i), "val_p1_mm": 90.0 - i} for i in range(1, 4))
    lifters = tuple(
        LifterInfo(f"run_{i} <&>", Path("w.safetensors"), "tcn, xy", ("h36m",), records)
        for i in range(len(noises))
    )
    return EvaluateResult(lifters, datasets, ALL, {"seed": 0}, tuple(cells), tuple(differences))


@pytest.fixture(scope="module")
def result() -> EvaluateResult:
    return a_result()


@pytest.fixture(scope="module")
def common() -> EvaluateResult:
    return a_result(("h36m",), "common", (0.05,))


# Records


def test_numbers_are_the_metrics_in_printed_units(result):
    test = a_benchmark()
    poses = predictions(test, 0.05)
    cell = result.cells[0]
    seen = test.columns["detected"]
    for name, factor in (("p1", 1000), ("p2", 1000), ("p3", 1000), ("pck", 1), ("auc", 1)):
        expected = factor * metric(name, poses[seen], test.truth.pose_3d[seen])
        assert cell.result(name).overall == pytest.approx(expected)
    assert [one.unit for one in cell.results] == ["mm"] * 3 + ["%"] * 2 + ["mm/s", "mm/s²"]
    assert [one.joint_set for one in cell.results][:4] == ["all", "all", "all", "14"]
    p1 = cell.result("p1")
    assert p1.action_mean == pytest.approx(np.mean(list(p1.per_action.values())))
    assert (list(p1.per_subject), list(p1.per_camera)) == (["S0", "S1"], ["cam"])
    assert p1.interval[0] < p1.overall < p1.interval[1]
    assert math.isnan(p1.without_offset)


def test_3dpw_is_measured_over_14_joints(result):
    cell = result.cell("run_0 <&>", "3dpw")
    assert {one.joint_set for one in cell.results} == {"14"}
    assert math.isnan(cell.result("p1").per_joint["spine"])
    assert "p1, p2, p3, pck, auc, mpjve, accel: 14 joints" in cell.conventions[0]


def test_a_better_lifter_is_surely_better(result):
    better = {(one.dataset, one.protocol): one for one in result.differences}
    assert len(better) == 2 * len(ALL)
    assert all(one.better for one in better.values())
    p1 = better["h36m", "p1"]
    assert (p1.label, p1.baseline) == ("run_1 <&>", "run_0 <&>")
    one, other = (cell.result("p1") for cell in result.on("h36m"))
    assert p1.value == pytest.approx(other.overall - one.overall)
    # Paired: both see the same takes, so their difference is surer than either number.
    assert p1.interval[1] - p1.interval[0] < 10


@pytest.mark.parametrize(
    ("protocol", "interval", "better"),
    [
        ("p1", (-3.0, -1.0), True),
        ("p1", (1.0, 3.0), False),
        ("pck", (1.0, 3.0), True),
        ("pck", (-3.0, -1.0), False),
        ("p1", (-1.0, 1.0), None),
        ("p1", (math.nan, math.nan), None),
    ],
)
def test_better_depends_on_the_protocol(protocol, interval, better):
    assert Difference("d", protocol, "mm", "a", "b", 0.0, interval).better is better


def test_strata_sum_up_to_the_whole(result):
    cell = result.cells[0]
    found = next(one for one in cell.strata if one.protocol == "p1")
    counts = [bin.joints for bin in found.strata]
    assert sum(counts) == (TAKES * N_FRAMES - 1) * 17
    mean = np.average([bin.value for bin in found.strata], weights=counts)
    assert mean == pytest.approx(cell.result("p1").overall)


def test_curves_and_worst_frames(result):
    cell = result.cells[0]
    assert cell.detail_protocol == "p1"
    assert len(cell.against_confidence.x) == 12
    # The root's error is 0 and left out.
    others = cell.result("p1").overall * 17 / 16
    assert np.mean(cell.against_confidence.y) == pytest.approx(others, rel=0.02)
    share = cell.distribution
    assert (share.x[0], share.y[0]) == (0.0, 0.0)
    assert list(share.y) == sorted(share.y)
    assert share.y[-1] == pytest.approx(100.0)
    values = [frame.value for frame in cell.worst]
    assert values == sorted(values, reverse=True)
    assert len({frame.sequence for frame in cell.worst}) == len(values) == 4
    test = a_benchmark()
    errors = predictions(test, 0.05) - centre_on_root(test.truth.pose_3d, H36M_17)
    errors -= errors[:, :1]
    worst = 1000 * np.nanmax(np.linalg.norm(errors, axis=-1).mean(axis=1))
    assert values[0] == pytest.approx(worst)
    # Both poses stand at the origin, so the picture shows the error that the number is of.
    drawn = np.subtract(cell.worst[0].predicted, cell.worst[0].true)
    assert 1000 * np.linalg.norm(drawn, axis=1).mean() == pytest.approx(worst)


def test_without_p1_the_details_are_p2s():
    test = a_benchmark()
    how = Measuring(protocols=("p2",), worst=1)
    cell = measure("a", predictions(test, 0.05), test, how).cell
    assert (cell.detail_protocol, len(cell.worst)) == ("p2", 1)
    assert cell.distribution is None


def test_a_constant_offset_is_named_and_taken_out(common):
    cell = common.cells[0]
    assert set(cell.joint_offset_mm) == set(H36M_17.joints)
    assert 0 < cell.result("p1").without_offset < cell.result("p1").overall
    assert "no result to report as such" in " ".join(cell.conventions)
    assert tables.offsets(cell)[0].rows[0][0] == "pelvis"
    assert tables.without_offset(common)[0].rows[0][0] == "run_0 <&>"


def test_notes_say_what_was_left_out():
    test = a_benchmark()
    poses = predictions(test, 0.1)
    notes = " ".join(measure("a", poses, test, Measuring(protocols=("p1",))).cell.conventions)
    assert "6 of the 15 actions" in notes
    assert "1 of 60 rows have no detection" in notes
    assert "bootstrap over 6 takes" in notes
    how = Measuring(protocols=("p3",), compat="mmpose")
    compat = " ".join(measure("a", poses, test, how).cell.conventions)
    assert "N-MPJPE scaled about the camera" in compat


# Tables


def test_a_grid_has_as_many_words_in_every_row(result, common):
    for grid in [*tables.all_grids(result), *tables.all_grids(common)]:
        assert all(len(row) == len(grid.headings) for row in grid.rows), grid.title
    assert tables.strata_compared(result, "h36m")[0].headings[-2:] == ("run_0 <&>", "run_1 <&>")


def test_the_matrix_is_trained_on_by_tested_on(result):
    grid = tables.matrices(result)[0]
    assert grid.headings == ("lifter", "trained on", "h36m", "3dpw")
    assert grid.rows[1][2] == f"{result.cell('run_1 <&>', 'h36m').result('p1').overall:.1f}"
    assert tables.matrices(a_result(("h36m",))) == []


def test_markdown_has_every_number_and_note(result):
    text = as_markdown(result)
    assert f"| **all frames** | **{result.cells[0].results[0].overall:.1f}** |" in text
    assert "better" in text
    assert "papers report the mean over the 15 actions" in text
    for line in text.splitlines():
        assert not line.startswith("|") or line.endswith("|")


def test_latex_is_balanced_and_escaped(result):
    text = as_latex(result)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") > 10
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert r"run\_0 $<$\&$>$" in body
    assert r"pck (\%)" in body
    assert re.search(r"(?<!\\)_", body) is None
    assert not any(line.lstrip().startswith("[") for line in body.splitlines())


def test_csv_is_one_long_table(result):
    rows = list(csv.DictReader(io.StringIO(as_csv(result))))
    [found] = [
        row
        for row in rows
        if (row["lifter"], row["dataset"], row["protocol"], row["group"], row["name"])
        == ("run_1 <&>", "h36m", "p2", "", "all frames")
    ]
    p2 = result.cell("run_1 <&>", "h36m").result("p2")
    assert float(found["value"]) == p2.overall
    assert (float(found["low"]), float(found["high"])) == p2.interval
    groups = {row["group"] for row in rows}
    assert groups == {
        "", "action", "subject", "camera", "joint", "body part", "difference from run_0 <&>",
    }  # fmt: skip
    assert "nan" not in as_csv(result)


def test_the_document_is_json_without_nan(result):
    text = json.dumps(as_document(result), allow_nan=False)
    first = json.loads(text)["cells"][0]["results"][0]
    assert first["without_offset"] is None
    assert first["interval"] == list(result.cells[0].results[0].interval)


# Plots, pictures, the page


def test_plots_are_elements_that_take_the_pages_colours():
    series = {"a & b": {"knee": 3.0, "pelvis": math.nan}, "c": {"knee": 2.0, "pelvis": math.nan}}
    svg = bars("by <joint>", "mm", series)
    assert svg.startswith("<svg viewBox=")
    assert "currentColor" in svg
    assert "#010203" not in svg
    assert 'aria-label="by &lt;joint>"' in svg
    assert "knee" in svg
    assert "pelvis" not in svg  # nothing was measured there
    curve = lines("t", "x", "y", {"a": Curve((0.0, 1.0), (1.0, 2.0))})
    assert svg != curve
    assert lines("t", "x", "y", {"a": Curve((0.0, 1.0), (1.0, 2.0))}) == curve


def test_learning_curves_need_records_of_the_validation():
    assert learning_curves({"a": (), "b": ({"epoch": 1.0, "loss": 0.1},)}) is None
    drawn = learning_curves({"a": ({"epoch": 1.0, "val_p1_mm": 80.0},)})
    assert drawn is not None
    assert "validation P1 (mm)" in drawn


def test_worst_frames_are_a_picture_with_something_in_it(result, tmp_path):
    paths = write_pictures(tmp_path, result)
    assert [path.name for path in paths][:2] == [
        "worst_run_0_on_h36m.png", "worst_run_1_on_h36m.png",
    ]  # fmt: skip
    picture = cv2.imread(str(paths[0]))
    assert picture.shape[0] > 300
    assert (picture < 200).any(axis=-1).mean() > 0.005
    assert draw_worst(result.cells[0]) == paths[0].read_bytes()


def test_the_page_holds_everything_and_asks_nobody(result, tmp_path):
    written = write_report(tmp_path / "report", result)
    assert [path.name for path in written] == [
        "report.html", "tables.md", "tables.tex", "numbers.csv", "evaluation.json",
    ]  # fmt: skip
    text = written[0].read_text()
    assert text.count("<svg") == text.count("</svg>") == 2 * 4 + 1
    assert text.count("data:image/png;base64") == 4
    assert re.search(r"(src|href)=['\"](?!data:|#)", text.replace("xlink:href", "href")) is None
    assert "run_0 &lt;&amp;&gt;" in text
    assert "run_0 <&>" not in text
    for words in ("Difference from", "trained on (rows)", "Learning curve", "body part", "dark"):
        assert words in text, words


def test_a_page_of_one_lifter_speaks_of_no_difference(common):
    text = page(common)
    assert "Difference from" not in text
    assert "without the joints" in text
