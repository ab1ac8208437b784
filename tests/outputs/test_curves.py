"""Learning curves are drawn from the records of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from auglift.outputs.curves import draw_curves


def records(n_epochs: int, **validation: float) -> list[dict[str, float]]:
    return [
        {"epoch": e, "loss": 1.0 / e, "lr": 1e-3 * 0.97**e, **{k: v / e for k, v in
         validation.items()}}
        for e in range(1, n_epochs + 1)
    ]  # fmt: skip


@pytest.mark.parametrize("n_epochs", [1, 5])
def test_a_picture_is_drawn(tmp_path: Path, n_epochs: int) -> None:
    path = tmp_path / "learning_curves.png"
    draw_curves(path, records(n_epochs, val_p1_mm=90.0, val_p2_mm=60.0), "my run")
    picture = imread(path)
    assert picture.shape[0] > 400
    assert np.unique(picture[..., :3].reshape(-1, 3), axis=0).shape[0] > 10
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_other_numbers_give_another_picture(tmp_path: Path) -> None:
    for name, scale in (("a", 1.0), ("b", 2.0)):
        draw_curves(tmp_path / f"{name}.png", records(4, val_error=scale))
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
