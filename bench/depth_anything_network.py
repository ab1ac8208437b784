"""Depth Anything V2's architecture at its published sizes, with random weights: to time it.

In: pictures (B, 3, h, w), sides multiples of 14. Out: metric depth (B, h, w).

DINOv2's transformer (14-pixel patches, a class token, layer scale) gives its tokens after four
layers to DPT's head, which puts them together from coarse to fine (Yang et al. 2024; Oquab et al.
2023; Ranftl et al. 2021). What it computes is noise; what it costs is what the real one costs.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.utils.flop_counter import FlopCounterMode

from auglift.lifting.models.attention import MLP, Attention

PATCH_PX = 14
TRAINED_PATCHES = 37
MAX_DEPTH_M = 20.0


@dataclass(frozen=True)
class Size:
    """What tells the published sizes apart."""

    width: int
    depth: int
    heads: int
    layers: tuple[int, int, int, int]
    """After which of the transformer's layers the head reads."""
    maps: tuple[int, int, int, int]
    """Channels of what it makes of them."""
    fused: int
    """Channels in which they are put together."""


SIZES = {
    "s": Size(384, 12, 6, (2, 5, 8, 11), (48, 96, 192, 384), 64),
    "b": Size(768, 12, 12, (2, 5, 8, 11), (96, 192, 384, 768), 128),
    "l": Size(1024, 24, 16, (4, 11, 17, 23), (256, 512, 1024, 1024), 256),
}


class Block(nn.Module):
    """A layer of the transformer; what it adds is scaled channel by channel."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.ls1 = nn.Parameter(torch.ones(width))
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = MLP(width, 4 * width)
        self.ls2 = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width) → the same."""
        x = x + self.ls1 * self.attn(self.norm1(x))
        return x + self.ls2 * self.mlp(self.norm2(x))


class Encoder(nn.Module):
    """Pictures → four maps (B, width, h / 14, w / 14), of one grid of patches."""

    def __init__(self, size: Size, grid: tuple[int, int]) -> None:
        super().__init__()
        self.layers, self.grid = size.layers, grid
        self.patches = nn.Conv2d(3, size.width, PATCH_PX, PATCH_PX)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + grid[0] * grid[1], size.width))
        self.blocks = nn.ModuleList(Block(size.width, size.heads) for _ in range(size.depth))
        self.norm = nn.LayerNorm(size.width, eps=1e-6)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """One map after each of `layers`."""
        tokens = self.patches(pictures).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        x, found = x + self.pos_embed, []
        for i_block, block in enumerate(self.blocks):
            x = block(x)
            if i_block in self.layers:
                found.append(self.norm(x)[:, 1:].transpose(1, 2).unflatten(2, self.grid))
        return found


class Residual(nn.Module):
    """Two convolutions and what went into them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → the same."""
        return x + self.conv2(torch.relu(self.conv1(torch.relu(x))))


class Fusion(nn.Module):
    """A finer map is added to what came from the coarser ones, and all of it brought to a size."""

    def __init__(self, channels: int, *, has_finer: bool) -> None:
        super().__init__()
        # The coarsest has nothing to add to, but the published weights have this unit all the same.
        self.unit1, self.has_finer = Residual(channels), has_finer
        self.unit2 = Residual(channels)
        self.out_conv = nn.Conv2d(channels, channels, 1)

    def forward(self, coarse: Tensor, finer: Tensor | None, hw: tuple[int, int]) -> Tensor:
        """→ (B, C, *hw)."""
        x = coarse if finer is None else coarse + self.unit1(finer)
        return self.out_conv(resized(self.unit2(x), hw))


class Head(nn.Module):
    """DPT's: four maps of one grid → depth (B, h, w)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        maps, fused = size.maps, size.fused
        self.projects = nn.ModuleList(nn.Conv2d(size.width, n, 1) for n in maps)
        self.resizes = nn.ModuleList([
            nn.ConvTranspose2d(maps[0], maps[0], 4, 4),
            nn.ConvTranspose2d(maps[1], maps[1], 2, 2),
            nn.Identity(),
            nn.Conv2d(maps[3], maps[3], 3, 2, 1),
        ])  # fmt: skip
        self.rn = nn.ModuleList(nn.Conv2d(n, fused, 3, padding=1, bias=False) for n in maps)
        self.fusions = nn.ModuleList(Fusion(fused, has_finer=i < 3) for i in range(4))
        self.conv1 = nn.Conv2d(fused, fused // 2, 3, padding=1)
        self.conv2 = nn.Conv2d(fused // 2, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 1, 1)

    def forward(self, found: list[Tensor]) -> Tensor:
        """Coarse to fine."""
        rows, columns = found[0].shape[-2:]
        parts = zip(self.projects, self.resizes, self.rn, found, strict=True)
        maps = [rn(resize(project(x))) for project, resize, rn, x in parts]
        path = self.fusions[3](maps[3], None, maps[2].shape[-2:])
        path = self.fusions[2](path, maps[2], maps[1].shape[-2:])
        path = self.fusions[1](path, maps[1], maps[0].shape[-2:])
        path = self.fusions[0](path, maps[0], (8 * rows, 8 * columns))
        path = resized(self.conv1(path), (PATCH_PX * rows, PATCH_PX * columns))
        return self.conv3(torch.relu(self.conv2(path))).sigmoid()[:, 0] * MAX_DEPTH_M


class DepthAnything(nn.Module):
    """The network for pictures of one size, `hw` in patches."""

    def __init__(
        self, size: Size, hw: tuple[int, int] = (TRAINED_PATCHES, TRAINED_PATCHES)
    ) -> None:
        super().__init__()
        self.encoder, self.head = Encoder(size, hw), Head(size)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, h, w) → (B, h, w) m."""
        depth: Tensor = self.head(self.encoder(image))
        return depth


def resized(x: Tensor, hw: tuple[int, int]) -> Tensor:
    """As DPT resizes its maps."""
    return interpolate(x, tuple(hw), mode="bilinear", align_corners=True)


def count_flop(size: Size, hw: tuple[int, int]) -> float:
    """Of one picture; a multiplication and an addition are two."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        DepthAnything(size, hw).eval()(torch.zeros(1, 3, hw[0] * PATCH_PX, hw[1] * PATCH_PX))
    return float(counter.get_total_flops())


def export(network: DepthAnything, path: Path) -> None:
    """As an ONNX graph of one size of pictures, and any number of them."""
    rows, columns = network.encoder.grid
    example = torch.zeros(1, 3, rows * PATCH_PX, columns * PATCH_PX)
    with warnings.catch_warnings(), torch.no_grad():
        # The older of torch's two exporters: a tenth of the time here, and no package beside torch.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(), (example,), str(path), dynamo=False, opset_version=17,
            input_names=["image"], output_names=["depth"],
            dynamic_axes={"image": {0: "batch"}, "depth": {0: "batch"}},
        )  # fmt: skip
