"""PoseFormer, many-to-many: a window gives a pose to every one of its frames.

In: features (B, T, J, C), T free. Out: root-relative poses (B, T, J, 3).

The stages are `poseformer`'s (so its weights can start this one); instead of their learned mean,
the head sees every token of a window. In training a clip is one window, and all its frames are
learned. Longer clips are covered by overlapping windows, of which only the central `block` of
frames is kept: a frame at a window's edge has its context on one side only. `block` is thus a dial
at inference, on the same weights: `frames` is the cheapest, 1 costs as much as `poseformer` and
gives every frame all of its context. This is done here and not by the caller because the spatial
stage then runs once for each frame, however much the windows overlap.
"""

from __future__ import annotations

from torch import Tensor

from auglift.errors import ConfigError
from auglift.lifting.models.poseformer import SpatialTemporal
from auglift.lifting.models.windows import stitch


class PoseFormerM2M(SpatialTemporal):
    """Many-to-many; `block` is a third of the window unless told."""

    sequence = True

    def __init__(
        self,
        *,
        frames: int = 81,
        block: int | None = None,
        n_joints: int = 17,
        in_channels: int = 2,
        out_channels: int = 3,
        channels: int = 32,
        layers: int = 4,
        heads: int = 8,
        mlp_ratio: float = 2.0,
        dropout: float = 0.0,
        drop_path: float = 0.1,
        checkpointing: bool = False,
    ) -> None:
        block = max(1, frames // 3) if block is None else block
        if not 1 <= block <= frames:
            raise ConfigError(f"a block of {block} frames does not fit a window of {frames}")
        super().__init__(
            frames=frames,
            n_joints=n_joints,
            in_channels=in_channels,
            out_channels=out_channels,
            channels=channels,
            layers=layers,
            heads=heads,
            mlp_ratio=mlp_ratio,
            dropout=dropout,
            drop_path=drop_path,
            checkpointing=checkpointing,
        )
        self.block = block

    def encode(self, features: Tensor) -> Tensor:
        """(B, T, J, C) → (B, T, width): one token for each frame."""
        tokens = self.frame_tokens(features)
        return stitch(self.window_tokens, tokens, self.receptive_field, self.block)
