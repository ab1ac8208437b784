"""A trained lifter in use: detected columns of any number of tracks → 3D poses.

`Lifter.lift` is what `evaluate`, `infer` and validation in `train` call.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from auglift.errors import ModelError
from auglift.geometry.skeleton import Skeleton, get_skeleton
from auglift.lifting.checkpoint import load_lifter
from auglift.lifting.data import PoseData, window_offsets
from auglift.lifting.features import flip, make_features, mirror_poses
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.spec import LifterSpec


class Lifter:
    """A model and the spec that says how to feed it."""

    def __init__(self, model: LifterModel, spec: LifterSpec, device: str = "cpu") -> None:
        self.model: LifterModel = model.to(device).eval()
        self.spec = spec
        self.device = device
        self.skeleton: Skeleton = get_skeleton(spec.skeleton)

    @classmethod
    def open(cls, path: Path, device: str = "cpu") -> Lifter:
        """Read a checkpoint written by `auglift train`."""
        model, spec = load_lifter(path, device)
        return cls(model, spec, device)

    def lift(
        self, data: PoseData, batch_size: int = 512, flip_test: bool = False
    ) -> npt.NDArray[np.float32]:
        """Root-relative poses (N, J, 3), metres, camera axes: one for every row of `data`."""
        rows = torch.arange(len(data), device=self.device)
        offsets = window_offsets(self.model.receptive_field, self.model.causal).to(self.device)
        poses = [
            self._lift_windows(data.windows(some, offsets, self.spec.fps), flip_test)
            for some in torch.split(rows, batch_size)
        ]
        lifted: npt.NDArray[np.float32] = torch.cat(poses).cpu().numpy()
        if not np.isfinite(lifted).all():
            raise ModelError("the lifter put out values that are not finite", where=self.spec.arch)
        return lifted

    @torch.inference_mode()
    def _lift_windows(self, columns: dict[str, Tensor], flip_test: bool) -> Tensor:
        poses = self._forward(columns)
        if flip_test:
            mirrored = self._forward(flip(columns, self.skeleton))
            poses = (poses + mirror_poses(mirrored, self.skeleton)) / 2.0
        return poses

    def _forward(self, columns: dict[str, Tensor]) -> Tensor:
        spec = self.spec
        features = make_features(columns, spec.features, self.skeleton, spec.mean_box_size)
        poses: Tensor = self.model(features)[:, 0]
        return poses
