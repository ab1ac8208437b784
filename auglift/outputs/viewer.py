"""The viewer: one HTML file with the clip, its people in 3D and their joint angles; no network.

In: `LiftedPeople`, the source's pictures (or none), joint angles (or they are computed). Out: a
page whose parts lie in `viewer_page/`: the template, the style, and scripts that become one. Data
goes in as base64 and as JSON without a single `<`, and a content security policy forbids the page
to load anything or to run any other script.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from auglift import __version__
from auglift.outputs.people3d import LiftedPeople
from auglift.outputs.viewer_clip import Angles, pack_clip
from auglift.outputs.viewer_film import Film, make_film
from auglift.storage.atomic import write_text
from auglift.storage.frames import BrokenFrame, Frame
from auglift.storage.sources import open_source

SCRIPTS = ("unpack", "playback", "orbit", "scene", "film", "plots", "controls", "main")
BUDGET_MB = 16.0

_PAGE = files("auglift.outputs") / "viewer_page"


def write_viewer(
    path: Path,
    lifted: LiftedPeople,
    frames: Path | Iterable[Frame | BrokenFrame] | None = None,
    angles: Mapping[int, Angles] | None = None,
    *,
    times_s: Mapping[int, float] | None = None,
    budget_mb: float = BUDGET_MB,
) -> None:
    """Write the page.

    `frames` are the source's own, or where to read them; without them the page shows the skeletons
    alone. `angles` are by person and name (T,) in degrees; the default is `geometry/angles.py`.
    `times_s` says when a frame is shown, where the frames themselves do not know. The pictures take
    at most `budget_mb` of the page: smaller and coarser where they are long, stills in the end.
    """
    if isinstance(frames, Path):
        frames = open_source(frames).frames_or_errors()
    film = make_film(frames or (), lifted.fps, times_s or {}, budget_mb)
    write_text(path, _page(lifted, film, angles))


def _page(lifted: LiftedPeople, film: Film, angles: Mapping[int, Angles] | None) -> str:
    about, rows = pack_clip(lifted, film.times_s, angles)
    about["film"] = film.about
    script = "".join(_part(f"{name}.js") for name in SCRIPTS)
    style = _part("viewer.css")
    return _filled(
        _part("template.html"),
        {
            "title": html.escape(_printable(Path(lifted.source).name or lifted.source)),
            "version": html.escape(__version__),
            "script": script,
            "script_hash": _policy_hash(script),
            "style": style,
            "style_hash": _policy_hash(style),
            "clip": _json_in_html(about),
            "rows": base64.b64encode(rows).decode(),
            "film": film.data,
        },
    )


def _part(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with every `{{name}}` replaced once; what is put in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _json_in_html(value: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element: nothing in it can end the element."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _printable(text: str) -> str:
    """Names of files that are not UTF-8 would make a page that cannot be written."""
    return text.encode("utf-8", "replace").decode()


def _policy_hash(text: str) -> str:
    """How a content security policy names an inline script or style."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
