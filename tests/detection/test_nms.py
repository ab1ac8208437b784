"""Greedy suppression, against itself in plain words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.detection.nms import nms


def greedy(boxes, scores, threshold, border=0):
    """Greedy NMS in plain words."""

    def iou(p, q):
        w = min(p[2], q[2]) - max(p[0], q[0]) + border
        h = min(p[3], q[3]) - max(p[1], q[1]) + border
        overlap = max(w, 0) * max(h, 0)
        area = sum((r[2] - r[0] + border) * (r[3] - r[1] + border) for r in (p, q))
        return overlap / (area - overlap)

    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(iou(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 15)] * 2), max_size=12),
    st.sampled_from([0.0, 0.3, 0.6]),
    st.sampled_from([0, 1]),
    st.randoms(use_true_random=False),
)
def test_nms_is_greedy(corners_and_sides, threshold, border, random):
    corners = [(x, y, x + w, y + h) for x, y, w, h in corners_and_sides]
    scores = np.float32(random.sample(range(100), len(corners)))
    boxes = np.float32(corners).reshape(-1, 4)
    kept = nms(boxes, scores, threshold, border_px=border).tolist()
    assert kept == greedy(corners, scores, threshold, border)
    assert nms(boxes, scores, threshold, border_px=border, at_most=2).tolist() == kept[:2]


@pytest.mark.parametrize("n", [0, 1])
def test_of_none_and_of_one(n):
    assert nms(np.zeros((n, 4), np.float32), np.ones(n, np.float32), 0.5).tolist() == [0] * n
