"""The page about real footage: what was measured of whom, in words and tables, and the pictures.

In: a `Found`. Out: Markdown; every sentence that depends on a number's sign is made of the numbers.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

import numpy as np
from footage_credits import credit_table
from footage_measures import Found, Row, Steadiness
from footage_words import what_it_shows

PAGE = "real_footage.md"
KEPT = "real_footage.json"

OPENING = """\
# Real clips through real networks

Made by

```bash
{command}
```

of the clips in the folder `CLIPS` and the networks in the folder `WEIGHTS`{root}, whose files are
named at [the end](#credits). A person detector (RTMDet-nano), a 2D pose network under RTMPose's
contract (MoveNet) and a depth network under Depth Anything's contract (TCMonoDepth-small) look at
the clips; the embedded lifters make 3D poses of what they find. They are small networks: the depth
network knows no metres (one factor for a clip gives its people a usual stature), and nobody has
modelled its errors in training.

Nobody knows where these people's joints were. So this says how steady and even the poses are and
whether they fall onto the picture, not how right they are; a lifter that always answered with one
stiff figure would have steady bones.

* **bones vary**: standard deviation of a bone's length over the frames, by its mean; the mean of
  all bones, and the worst one (named by the joint at its end).
* **left/right**: difference of a left and the right bone, by their mean.
* **off the picture**: median distance of the projected joints from those that were detected for
  sure, and the same by the person's height in the picture.
* **jitter**: mean acceleration of the joints about the root; people accelerate too, so only the
  difference between lifters of the same clip says something.

`none` is what the lifter gives, `butterworth` the same after smoothing.
"""

SHOWS = """\
## What it shows

Means of all people, as in the table; before smoothing, unless it says otherwise.
"""

HEADINGS = (
    "lifter", "clip", "person", "smoothing", "bones vary, %", "the worst, %", "left/right, %",
    "off the picture, px", "of the height, %", "jitter, m/s²",
)  # fmt: skip


def page(found: Found, pictures: Sequence[str]) -> str:
    """The whole text; pictures by their names beside it."""
    root = ", with runs of the workspace `ROOT`" if " ROOT " in found.command else ""
    shown = "\n".join(f"![{name.rsplit('.', 1)[0]}]({name})\n" for name in pictures)
    shows = "".join(f"* {sentence}\n" for sentence in what_it_shows(found))
    parts = [
        OPENING.format(command=found.command, root=root),
        f"{SHOWS}\n{shows}" if shows else "",
        f"## The numbers\n\n{table(found.rows)}",
        f"## Pictures\n\n{shown}",
        credit_table(found.clips),
    ]
    return "\n".join(filter(None, parts))


def command(lifters: Iterable[str], of_runs: bool) -> str:
    """What to type for this page; folders of the machine it was made on are placeholders."""
    words = " ".join(f"--lifter {shlex.quote(name)}" for name in lifters)
    root = " --root ROOT" if of_runs else ""
    return f"python bench/claims/real_footage.py CLIPS WEIGHTS{root} -o docs/claims \\\n    {words}"


def table(rows: Sequence[Row]) -> str:
    """Markdown: for each lifter the mean of all people, then every one."""
    lines = [f"| {' | '.join(HEADINGS)} |", "|" + "---|" * 4 + "---:|" * (len(HEADINGS) - 4)]
    for lifter, smoothing in dict.fromkeys((row.lifter, row.smoothing) for row in rows):
        some = [r.steadiness for r in rows if (r.lifter, r.smoothing) == (lifter, smoothing)]
        lines.append(_line([f"**{lifter}**", "all", f"{len(some)} people", smoothing], some))
    lines += [_line([r.lifter, r.clip, str(r.person), r.smoothing], [r.steadiness]) for r in rows]
    return "\n".join(lines) + "\n"


def _line(words: list[str], some: Sequence[Steadiness]) -> str:
    def mean(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in some]))

    worst = f"{mean('worst_percent'):.1f}" + (f" ({some[0].worst_bone})" if len(some) == 1 else "")
    numbers = [
        f"{mean('bones_percent'):.1f}", worst, f"{mean('sides_percent'):.1f}",
        f"{mean('picture_px'):.1f}", f"{mean('picture_percent'):.1f}",
        f"{mean('jitter_m_s2'):.1f}",
    ]  # fmt: skip
    return f"| {' | '.join([*words, *numbers])} |"
