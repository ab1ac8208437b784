"""What a notebook shows of lifted people says who, when and where, in a few lines."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import cv2
import numpy as np

from auglift.outputs.notebook import MOST_ROWS, VIEW_PX, distance_m
from auglift.outputs.overlay_views import BACKGROUND_RGB


def picture_in(page: str) -> np.ndarray:
    png = re.search(r"data:image/png;base64,([^']*)'", page)
    assert png
    return cv2.imdecode(np.frombuffer(base64.b64decode(png[1]), np.uint8), cv2.IMREAD_COLOR)


def test_a_row_for_everybody_and_a_picture(walk, lifted):
    people = lifted(walk, walk[:3] + np.array([1.0, 0.0, 2.0]))
    page = people._repr_html_()
    assert "2 person(s), 10 Hz, h36m_17, by run/best" in page
    assert "0.00 to 0.50" in page
    assert "3 of 3" in page
    far_m = np.median(np.linalg.norm(walk[:, 0], axis=-1))
    assert f"{far_m:.1f} m" in page
    picture = picture_in(page)
    assert picture.shape == (VIEW_PX, 2 * VIEW_PX, 3)
    assert (picture != BACKGROUND_RGB[::-1]).any(axis=-1).mean() > 0.03


def test_the_picture_is_of_a_frame_with_most_people(walk, lifted):
    late = np.concatenate([np.full_like(walk[:4], np.nan), walk[4:]])
    assert "3D poses in frame 4" in lifted(walk, late)._repr_html_()


def test_names_are_no_html(walk, lifted):
    page = replace(lifted(walk), source="<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_nobody_and_places_unknown(walk, lifted):
    assert "<img" not in lifted()._repr_html_()
    people = lifted(np.full_like(walk, np.nan))
    assert distance_m(people.people[0]) is None
    assert "unknown" in people._repr_html_()
    assert "<img" not in people._repr_html_()


def test_a_crowd_is_cut_short(walk, lifted):
    page = lifted(*[walk[:1]] * (MOST_ROWS + 3))._repr_html_()
    assert page.count("<td>") == 4 * MOST_ROWS
    assert "and 3 more" in page


def test_plain_text_is_short_too(walk, lifted):
    assert repr(lifted(walk)) == (
        "LiftedPeople('walk.mp4', 10 Hz, 1 person(s))\n"
        "  LiftedPerson(0: 0.00 to 0.50 s, 6 poses in 6 frames)"
    )
