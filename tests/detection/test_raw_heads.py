"""A detector cut before its NMS takes batches, and sees what it saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from auglift.detection.default_models import VIRTUAL
from auglift.detection.raw_heads import cut_before_nms
from auglift.detection.zoo_detector import open_detector
from auglift.errors import ModelError
from auglift.storage.onnx_providers import create_session
from auglift.storage.zoo import model_path


def test_the_heads_are_those_of_the_network_that_was_cut_by_hand(shared: Path) -> None:
    weights = shared / "weights"
    tensor = np.random.default_rng(0).normal(size=(2, 3, 320, 320)).astype(np.float32)
    cut = create_session(cut_before_nms(weights / "rtmdet_nano_person_320_end2end.onnx"), "cpu", 1)
    by_hand = create_session(weights / "rtmdet_nano_person_raw.onnx", "cpu", 1)
    shapes = [node.shape[2] for node in cut.get_outputs()]
    assert shapes == [4, "classes"]
    for ours, theirs in zip(
        cut.run(None, {"input": tensor}), by_hand.run(None, {"input": tensor}), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert len(cut.run(None, {"input": tensor})[0]) == 2  # whole, it fails above one picture


def test_the_option_opens_a_detector_that_takes_batches(
    shared: Path, people_picture: npt.NDArray[np.uint8]
) -> None:
    weights = shared / "weights"
    found = []
    for cut_nms in (False, True):
        opened = open_detector(
            str(weights / "rtmdet_nano_person_320_end2end.onnx"),
            str(weights / "pose_coco17_simcc_256x192.onnx"),
            None,
            device="cpu",
            threads=1,
            options={"people": {"input_wh": [320, 320], "cut_nms": cut_nms}},
        )
        assert opened.choices["people"].options["cut_nms"] == cut_nms
        found.append(opened.detector.people.detect([people_picture, people_picture[:, ::-1]]))
    for whole, cut in zip(*found, strict=True):
        np.testing.assert_allclose(whole.boxes_xyxy, cut.boxes_xyxy, atol=1)
        np.testing.assert_allclose(whole.scores, cut.scores, atol=1e-4)


@pytest.mark.parametrize("name", VIRTUAL)
def test_what_has_no_nms_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="NMS of this person detector is not found") as raised:
        cut_before_nms(model_path(name))
    assert "cut_nms" in str(raised.value)
