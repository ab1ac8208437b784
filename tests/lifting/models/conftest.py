"""Numbers of the reference systems, for the models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

Golden = tuple[Tensor, Tensor, dict[str, Tensor]]


@pytest.fixture
def golden() -> Callable[[str], Golden]:
    """Reads input, output and the weights under the reference's names."""

    def read(name: str) -> Golden:
        file = np.load(Path(__file__).parents[2] / "golden" / f"{name}.npz")
        weights = {
            key.removeprefix("w."): torch.from_numpy(file[key]) for key in file.files if "." in key
        }
        return torch.from_numpy(file["x"]), torch.from_numpy(file["y"]), weights

    return read
