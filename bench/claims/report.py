"""What the claims' measures say: docs/depth_helps.md and its figures.

    python bench/claims/report.py --root claims              docs/depth_helps.md, docs/figures/
    python bench/claims/report.py --root claims --docs /tmp  somewhere else

Numbers, and every sentence that depends on one's sign, are made of the measures; parts that were
not run are left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import figures
import footage_words
import part_tables
import part_wording
import tables
import wording
from conditions import STUDY_UNSEEN
from measure import read_measures
from results import HELD_OUT, ID, OOD, Results

from auglift.storage.atomic import write_text

DOCS = Path(__file__).resolve().parents[2] / "docs"
NAME = "depth_helps.md"

OPENING = """\
# Does depth around the joints help lifting?

Made by `python bench/claims/report.py` of what `python bench/claims/run.py` measured (see
[bench/claims](../bench/claims/README.md)); nothing here is written by hand that depends on a
number, but for what is quoted of the paper, of the first study and of an earlier reading of it.

**Depth is simulated here.** Real human motion (CMU, UI-PRMD) was filmed by virtual cameras; 2D
joints, confidence and depth maps got the errors that such networks make, from noise models whose
parameters, each with its source or as an estimate, were fixed before the first comparison was
trained ([`auglift/studio/noise.py`](../auglift/studio/noise.py)). So this shows what a lifter gains
if depth errs as modelled. It does not show that a certain depth network errs so.

Networks and trainings are small, the same for all inputs of an architecture: differences between
inputs are what counts, not the errors themselves. A change is in per cent of the baseline's error,
below 0 it is a gain; in brackets 95 % by a paired bootstrap over motions (one motion is what one
subject did once, whatever body and camera it was simulated with); bold where that leaves 0 out and
all seeds have the same sign.
*In distribution*: trained on one data set's training subjects and tested on its test subjects.
*Across data sets*: tested on the other one's. `a → b`: trained on a, tested on b.

| input | of each joint |
|---|---|
| xy | its place in the picture |
| xyc | and the detector's confidence |
| xyd, xycd | xy, or xyc, and the depth at the joint's pixel, about the root |
| casp | xyc, and over a disc around the joint the median, minimum and maximum of the depth |
| casp-code | xyc, the depth at the pixel, and the 10 % and 90 % quantiles over the disc |
| stats | xyc, and eight statistics of the depth |
| ordinal | xy, and whether it is nearer than the root, level with it or farther |
| casp, shuffled depth | the depth of some other row of the table |
| casp, constant depth | the same depth everywhere |
"""

AGREEMENT = """\
The paper's numbers are averages over four real data sets and four full-size architectures, with
detections of real networks; ours are over two data sets of motion before virtual cameras and four
small networks. Signs and orders can be compared, sizes hardly.
"""


FOOTAGE = "claims/real_footage.md"
"""What `real_footage.py` writes, beside the report."""


def compose(
    results: Results,
    summaries: Iterable[Mapping[str, Any]],
    drawn: list[str],
    footage: Iterable[str] = (),
) -> str:
    """The whole text."""
    pictures = {name: f"![{name.removesuffix('.png')}](figures/{name})\n" for name in drawn}
    sections = [
        section(
            "The answer",
            bullets(wording.headline(results)),
            AGREEMENT,
            pictures.get("gains.png", ""),
            "Change of P1 against xy, %; the last three columns are of one seed:\n",
            tables.gains(results, "p1"),
            "Change of P2 against xy, %:\n",
            tables.gains(results, "p2"),
            "Change of PCK (150 mm) against xy, points, where above 0 is better:\n",
            tables.gains(results, "pck"),
        ),
        section(
            "Controls",
            "Casp with another depth against xyc of the same seed, P1: what is left to depth.\n",
            bullets(wording.controls(results)),
        ),
        section(
            "Beyond confidence, and beyond one point",
            bullets(wording.beyond(results)),
            "P1, %:\n",
            tables.beyond(results, "p1"),
            "P2, %:\n",
            tables.beyond(results, "p2"),
        ),
        section(
            "Errors",
            "P1, mm, mean ± standard deviation over seeds:\n",
            tables.errors(results, "p1"),
            "P2, mm:\n",
            tables.errors(results, "p2"),
        ),
        section(
            "The joints' definitions",
            "The sets label joints at other spots of the body. The constant part of that is each "
            "joint's mean error in axes that turn with the trunk; here it is taken out of each "
            "lifter's poses on each test.\n",
            bullets(wording.transfer(results)),
            "Change of casp against xy, mean of the architectures, %:\n",
            tables.offsets(results),
            "How much worse a lifter is that learned from the other set, same test, %:\n",
            tables.transfer(results),
        ),
        section(
            "Trained on both sets",
            "As many rows to learn from as each set alone has; tested on held-out subjects; one "
            "seed.\n",
            tables.held_out(results),
            "P1, mm:\n",
            tables.errors(results, "p1", HELD_OUT),
            "P2, mm:\n",
            tables.errors(results, "p2", HELD_OUT),
        ),
        section(
            "Where it helps",
            "Hidden is a joint where another joint of the same person is 10 mm nearer and within "
            "its radius in the picture; what else stands in the way does not count. Novelty: "
            "distance to the nearest of the poses that were learned from. Detector error: distance "
            "of the detected from the true joint, by the box's size. Fifths hold as many each.\n",
            bullets(wording.strata(results)),
            pictures.get("strata.png", ""),
            "In distribution; changes in %, PCK's in points:\n",
            tables.strata(results, ID),
            "Across data sets:\n",
            tables.strata(results, OOD),
        ),
        section(
            "Errors: half, double, of another family",
            "The fastest architecture, trained on CMU, one seed. `half` and `double` scale all "
            "errors, `half-depth` and `double-depth` those of depth only. `systematic` flattens "
            "relief twice as much as the default and tilts it twice as much. `unspoilt` is trained "
            "under the default errors without the random changes of depth that training adds.\n",
            bullets(part_wording.noise(results)),
            pictures.get("noise.png", ""),
            "Change of casp against xy, %:\n",
            part_tables.noise(results),
            "P1, mm:\n",
            part_tables.noise_errors(results),
        ),
        section(
            "Other inputs",
            bullets(part_wording.oracle(results)),
            "The fastest architecture, one seed; P1 in mm and change against xy in %:\n",
            part_tables.variants(results),
        ),
        section(
            "Scale of the keypoints",
            "Trained on CMU, one seed; P1 in mm, change in %. With `depth` xy is multiplied by the "
            "root's measured depth, so xy knows depth there as well.\n",
            part_tables.scales(results),
        ),
        section(
            "Radius of the discs",
            "Trained on CMU, one seed; P1 in mm, change of casp against xycd in %.\n",
            part_tables.radii(results),
        ),
        section(
            "Beside the first study",
            "A study made before the project began stated its aims at cameras and errors of its "
            "own (`bench/claims/study.yaml`), which are smaller. One frame: the fastest "
            "architecture; 9 frames: a ViT over joints, what `lift-base` is. Trained on CMU, one "
            "seed. The recipe was read from the study's description twice: a first one (commit "
            "72d2508), with the default's 2D errors and silhouettes blurred by 0.7 % instead of "
            "0.33 % of the picture's shorter side, gave 73.3/58.5 mm with casp and 83.5/61.5 with "
            "xy, of one frame: −12.2 % and −4.9 %.\n",
            bullets(part_wording.study(results)),
            "mm:\n",
            part_tables.study(results),
            "The same lifters tested under the systematic family of depth errors, mm:\n",
            part_tables.study(results, STUDY_UNSEEN),
        ),
        section(
            "How many views of a motion",
            "The fastest architecture, trained on CMU, one seed, the same number of steps; P1 in "
            "mm.\n",
            bullets(part_wording.views(results)),
            pictures.get("views.png", ""),
            part_tables.view_errors(results),
        ),
        section(
            "What depth gives away",
            "Correlation of the measured with the true depth of all joints, and of depths about "
            "the root (at most a metre from it, the root itself left out). Near 1 the input would "
            "hold the answer; 0.95 is where a reader of the paper would have rejected it.\n",
            part_tables.data(summaries),
        ),
        section(
            "Real footage",
            bullets(footage),
        ),
    ]
    return "\n".join([OPENING, *filter(None, sections)])


def section(title: str, *parts: str) -> str:
    """Empty where no part but text that is always there has anything to say."""
    said = [part for part in parts if part]
    if not any(part.startswith(("|", "* ", "!")) for part in said):
        return ""
    # A line that announces a table goes with it.
    kept = [
        part
        for part, after in zip(said, [*said[1:], ""], strict=True)
        if not part.endswith(":\n") or after.startswith("|")
    ]
    return f"## {title}\n\n" + "\n".join(kept)


def bullets(sentences: Iterable[str]) -> str:
    """One line each."""
    return "".join(f"* {sentence}\n" for sentence in sentences)


def write_report(root: Path, docs: Path) -> Path:
    """Read the measures, draw the figures, write the text; where it is."""
    results = Results.of(read_measures(root))
    paths = sorted((root / "data").glob("*.json"))
    summaries = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    drawn = figures.draw_all(docs / "figures", results)
    write_text(docs / NAME, compose(results, summaries, drawn, on_footage(docs)))
    return docs / NAME


def on_footage(docs: Path) -> list[str]:
    """Where real footage is shown, and what it shows; nothing where it was not looked at."""
    if not (docs / FOOTAGE).is_file():
        return []
    said = footage_words.summary((docs / FOOTAGE).with_suffix(".json"))
    return [f"Three clips through real networks: [{FOOTAGE}]({FOOTAGE})", *said]


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--root", type=Path, required=True, help="the folder given to run.py")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the report goes")
    options = parser.parse_args()
    print(write_report(options.root, options.docs))


if __name__ == "__main__":
    main()
