"""Make an embedded lifter of a finished run: its weights, its card, its recipes.

    python models_zoo/make_lifter.py cmu_tcn-27_casp_s0 --name lift-small-casp

In:  a run below --root, with the `train` tables that it has learned from and the `test` tables of
     all data sets that it is to be scored on.
Out: models_zoo/lifters/<name>.safetensors, models_zoo/<name>.yaml, models_zoo/recipes/<name>.yaml,
     and for each `train` table models_zoo/recipes/data/<dataset>-<hash>.yaml, which lifters of the
     same data share.

Matrices become float16. What that costs is measured on every test table by `auglift evaluate`; if
it is more than a tenth of a millimetre nothing is written. The same run gives the same bytes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from lifter_card import (
    FinishedRun,
    Score,
    card_text,
    evaluate_command,
    make_card,
    read_run,
)
from retraining import data_recipe, training_recipe, write_data_recipe

from auglift.config import models_zoo_folder
from auglift.errors import DataError, MissingDataError
from auglift.evaluate import EvaluateConfig, evaluate
from auglift.lifting.checkpoint import load_lifter, save_lifter
from auglift.storage.atomic import write_bytes, write_text
from auglift.storage.cards import read_card
from auglift.storage.fetch import file_sha256
from auglift.storage.workspace import Workspace

MOST_LOSS_MM = 0.1


def make_lifter(
    run_name: str, name: str, root: Path, zoo: Path, tests: tuple[str, ...] = ()
) -> list[Score]:
    """Write the files; what the lifter scores."""
    workspace = Workspace(root)
    folder = workspace.find_run(run_name).run
    assert folder.model is not None  # find_run returns runs with weights only
    model, spec = load_lifter(folder.model)
    run = read_run(folder, workspace, spec, model)
    with tempfile.TemporaryDirectory() as temporary:
        weights = Path(temporary) / f"{name}.safetensors"
        save_lifter(weights, model, spec, half=True)
        scores = score(run, weights, workspace, tests)
        card = make_card(name, run, weights, file_sha256(weights), scores)
        for table in run.tables.items():
            write_data_recipe(zoo, data_recipe(*table))
        write_bytes(zoo / card["file"], weights.read_bytes())
    write_text(zoo / "recipes" / f"{name}.yaml", training_recipe(name, run.config))
    write_text(zoo / f"{name}.yaml", card_text(card))
    read_card(zoo / f"{name}.yaml")  # raises if the card is not one
    return scores


def score(
    run: FinishedRun, weights: Path, workspace: Workspace, tests: tuple[str, ...]
) -> list[Score]:
    """P1 and P2 on every test table, of the weights as they were and as they are shipped."""
    datasets = tests or tuple(workspace.datasets_with("xycd", "test"))
    if not datasets:
        raise MissingDataError("no test table to score on", where=workspace.root)
    found = evaluate(
        EvaluateConfig(
            root=workspace.root,
            dataset=datasets,
            checkpoint=(str(run.folder.model), str(weights)),
            protocol=("p1", "p2"),
            resamples=1,
            device="cpu",
        )
    )
    before, after = (info.label for info in found.lifters)
    scores = []
    for dataset in datasets:
        old, new = (found.cell(label, dataset) for label in (before, after))
        p1, p2 = (new.result(protocol).overall for protocol in ("p1", "p2"))
        scores.append(Score(dataset, new.detected, p1, p2, old.result("p1").overall))
    _check_loss(scores)
    return scores


def _check_loss(scores: list[Score]) -> None:
    for one in scores:
        loss_mm = one.p1_mm - one.p1_before_mm
        if not loss_mm <= MOST_LOSS_MM:
            raise DataError(
                f"float16 costs {loss_mm:.2f} mm of P1 on {one.dataset}: "
                f"{one.p1_before_mm:.2f} → {one.p1_mm:.2f}"
            )


def main() -> None:
    """Make one lifter and say what it scores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", help="name or folder of the run")
    parser.add_argument("--name", required=True, help="the lifter's, such as lift-small-casp")
    parser.add_argument("--root", type=Path, default=Path(), help="workspace of run and tables")
    parser.add_argument("--test", action="append", default=[], help="data set; default: all there")
    parser.add_argument("--zoo", type=Path, default=models_zoo_folder(), help="where to write")
    options = parser.parse_args()
    scores = make_lifter(options.run, options.name, options.root, options.zoo, tuple(options.test))
    card = read_card(options.zoo / f"{options.name}.yaml")
    print(f"{options.zoo / card.file}: {card.description}")
    for one in scores:
        print(
            f"{one.dataset}: P1 {one.p1_before_mm:.3f} → {one.p1_mm:.3f} mm in float16, "
            f"P2 {one.p2_mm:.3f} mm, {one.poses:,} poses"
        )
    print(f"next: {evaluate_command(options.name, [one.dataset for one in scores])}")


if __name__ == "__main__":
    main()
