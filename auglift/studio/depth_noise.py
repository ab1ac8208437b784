"""What a depth network makes of a true surface, at the pixels of many discs.

In:  `DiscRays`: P pixels in discs, over T instants, of a person's joints. `places` says where to
     cast a ray for each pixel, and `estimate` turns the depths found there into the network's.
Out: depth (P,) float32, NaN where the network has none.

Blur. The last layer is a sigmoid of a blurred map; for depths well below its maximum that is like
blurring their logarithm with a Gaussian. Every pixel casts one ray, at a place drawn from its own
Gaussian, and all rays of a disc serve all of its pixels: each is weighted by its density under the
pixel's Gaussian, divided by the sum of its densities under all Gaussians that it may have come from
(the balance heuristic; Veach and Guibas 1995). So a limb before a far wall gets depths between the
two at its edges, as networks give them; the fewer the rays within the blur, the rougher the mean.

Then the systematic errors of a frame: about the depth of the person's root, relief is stretched or
flattened and the whole tilted; then scale and shift. Then patches, large and small, that stick to
the person: waves over the plane through the root that drift in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from auglift.studio.courses import course, happens
from auglift.studio.noise import NoiseConfig
from auglift.studio.rays import NEAREST_M

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]

# Wavelengths in metres: a trunk, a hand.
_COARSE_M, _FINE_M = (0.6, 1.6), (0.08, 0.3)
_N_WAVES = 3
_DRIFT_HZ = 0.3  # standard deviation of how fast a wave goes through its phases (estimate)
_PAIRS_AT_ONCE = 160_000  # of pixels and rays: matrices that stay in the cache


@dataclass(frozen=True, eq=False)
class DiscRays:
    """The pixels of N discs around a person's joints, and where that person is."""

    pixels: npt.NDArray[np.float32]
    """(P, 2)"""
    owner: IntArray
    """(P,) the disc of each, ascending."""
    instant: IntArray
    """(N,) of each disc."""
    root_px: FloatArray
    """(T, 2)"""
    root_m: FloatArray
    """(T,) z-depth of the root."""
    px_per_m: FloatArray
    """(T,) at the root."""
    picture_wh: tuple[int, int]
    rate_hz: float

    @cached_property
    def of_pixel(self) -> IntArray:
        """(P,) the instant of each pixel."""
        return self.instant[self.owner]

    @cached_property
    def offset_m(self) -> tuple[FloatArray, FloatArray]:
        """How far right of the root and below it each pixel is, (P,) each, in the root's plane."""
        px_per_m = self.px_per_m.astype(np.float32)[self.of_pixel]
        x, y = self.root_px.astype(np.float32).T
        across_px = self.pixels[:, 0] - x[self.of_pixel]
        down_px = self.pixels[:, 1] - y[self.of_pixel]
        return across_px / px_per_m, down_px / px_per_m


def places(rays: DiscRays, noise: NoiseConfig, rng: np.random.Generator) -> FloatArray:
    """Where each pixel's ray goes through the picture (P, 2): drawn from its blur."""
    drawn = rng.standard_normal(rays.pixels.shape, dtype=np.float32)
    drawn *= np.float32(_blur_px(rays, noise))
    return rays.pixels + drawn


def estimate(
    rays: DiscRays,
    places_px: FloatArray,
    depth_m: FloatArray,
    noise: NoiseConfig,
    rng: np.random.Generator,
) -> FloatArray:
    """The network's depth at the pixels, from the true depth (P,) at `places`."""
    depth_m = np.minimum(depth_m, np.float32(noise.farthest_m))
    blur_px = _blur_px(rays, noise)
    if blur_px > 0:
        depth_m = _mix(rays, places_px, depth_m, blur_px)
    depth_m = _distort(rays, depth_m, noise, rng)
    for range_m, size_m in ((_COARSE_M, noise.coarse_error_m), (_FINE_M, noise.fine_error_m)):
        depth_m += _patches(rays, range_m, size_m, rng)
    np.clip(depth_m, NEAREST_M, noise.farthest_m, out=depth_m)
    depth_m[_missing(rays, noise, rng)] = np.nan
    return depth_m


def _blur_px(rays: DiscRays, noise: NoiseConfig) -> float:
    return noise.blur_share * min(rays.picture_wh)


def _mix(rays: DiscRays, places_px: FloatArray, depth_m: FloatArray, blur_px: float) -> FloatArray:
    """Blurred depth (P,) from the depths (P,) found at `places_px` (P, 2)."""
    first = np.flatnonzero(np.diff(rays.owner, prepend=-1))
    length = np.diff(first, append=len(depth_m))
    order = np.argsort(length, kind="stable")  # discs of one block are of about one size
    per_px = np.float32(1 / blur_px)
    x, y, place_x, place_y = (*(rays.pixels * per_px).T, *(places_px * per_px).T)
    log_depth = np.log(depth_m)
    mixed = np.empty_like(log_depth)
    at_once = max(_PAIRS_AT_ONCE // max(length.max(initial=0) ** 2, 1), 1)
    for start in range(0, len(order), at_once):
        some = order[start : start + at_once]
        rank, last = np.arange(length[some[-1]]), length[some, None] - 1
        there = (rank <= last).astype(np.float32)
        i_ray = first[some, None] + np.minimum(rank, last)
        middle_x, middle_y = x[first[some], None], y[first[some], None]
        density = _density(
            (x[i_ray] - middle_x, y[i_ray] - middle_y),
            (place_x[i_ray] - middle_x, place_y[i_ray] - middle_y),
        )
        weight = there / (there[:, None] @ density)[:, 0]
        sums = density @ np.stack([weight * log_depth[i_ray], weight], axis=-1)
        mixed[i_ray] = sums[..., 0] / sums[..., 1]
    return np.asarray(np.exp(mixed))


def _density(
    targets: tuple[FloatArray, FloatArray], sources: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """exp(−|t − s|² / 2) (B, n, n) of targets t and sources s, x and y (B, n) each."""
    left, right = np.empty((2, *targets[0].shape, 4), dtype=np.float32)
    # −|t − s|² / 2 = t·s − |t|² / 2 − |s|² / 2, as one product of matrices.
    left[..., 0], left[..., 1] = targets
    right[..., 0], right[..., 1] = sources
    left[..., 2] = -0.5 * (targets[0] ** 2 + targets[1] ** 2)
    right[..., 3] = -0.5 * (sources[0] ** 2 + sources[1] ** 2)
    left[..., 3] = right[..., 2] = 1.0
    exponent = left @ right.mT
    return np.asarray(np.exp(exponent, out=exponent))


def _distort(
    rays: DiscRays, depth_m: FloatArray, noise: NoiseConfig, rng: np.random.Generator
) -> FloatArray:
    """Relief and tilt about the root, then scale and shift: the errors of whole frames."""
    drawn = course(
        rng, (len(rays.root_m), 5), rays.rate_hz, noise.depth_memory_s, noise.steady_share
    )
    scale = np.exp(noise.scale_error * drawn[:, 0])
    shift_m = noise.shift_error_m * drawn[:, 1]
    gain = np.exp(noise.relief_mean + noise.relief_error * drawn[:, 2])
    tilt = np.tan(np.radians(np.clip(noise.tilt_error_deg * drawn[:, 3:], -45, 45)))
    # scale · (root + gain · (depth − root) + tilt · offset) + shift
    of_instant = np.stack(
        [scale * (1 - gain) * rays.root_m + shift_m, scale * gain, *(scale[:, None] * tilt).T]
    ).astype(np.float32)
    constant, factor, tilt_x, tilt_y = (values[rays.of_pixel] for values in of_instant)
    across, down = rays.offset_m
    distorted: FloatArray = constant + factor * depth_m + tilt_x * across + tilt_y * down
    return distorted


def _patches(
    rays: DiscRays, range_m: tuple[float, float], size_m: float, rng: np.random.Generator
) -> FloatArray:
    """A field (P,) of standard deviation `size_m` whose wavelengths lie in `range_m`."""
    low, high = np.log(range_m)
    wavelength_m = np.exp(rng.uniform(low, high, _N_WAVES))
    direction, phase = rng.uniform(0, 2 * np.pi, (2, _N_WAVES))
    drift = 2 * np.pi * rng.normal(0, _DRIFT_HZ, _N_WAVES) / rays.rate_hz
    number = 2 * np.pi / wavelength_m * np.stack([np.cos(direction), np.sin(direction)])
    phases = phase[:, None] + drift[:, None] * np.arange(len(rays.root_m))
    across, down = rays.offset_m
    field = np.zeros_like(across)
    for (along, below), of_instant in zip(
        number.T.astype(np.float32), phases.astype(np.float32), strict=True
    ):
        field += np.cos(along * across + below * down + of_instant[rays.of_pixel])
    field *= np.float32(size_m * np.sqrt(2 / _N_WAVES))
    return field


def _missing(rays: DiscRays, noise: NoiseConfig, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Pixels (P,) without a depth: some anywhere, and some joints' whole discs."""
    per_instant = len(rays.instant) // max(len(rays.root_m), 1)
    chance = np.full((len(rays.root_m), per_instant), noise.hole_rate)
    hole = happens(rng, chance, rays.rate_hz, noise.depth_memory_s).reshape(-1)
    anywhere = rng.random(len(rays.owner), dtype=np.float32) < noise.invalid_rate
    return np.asarray(anywhere | hole[rays.owner])
