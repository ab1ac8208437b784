"""Bringing predicted poses onto the true ones before they are compared, many poses at once.

In:  predicted and true joints (..., J, 3), an optional mask (..., J) of the joints that count.
Out: poses (..., J, 3) float64, moved, scaled or turned.

Procrustes' similarity is the least squares one in closed form (Umeyama 1991), by one batched 3×3
singular value decomposition. It never mirrors: a left hand is not a right hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from auglift.errors import DataError, unknown_name
from auglift.geometry.skeleton import Skeleton

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]
Compat = Literal["mmpose"]
Pair = tuple[FloatArray, FloatArray]
Alignment = Callable[[FloatArray, FloatArray, BoolArray, Skeleton], Pair]
"""(predicted, truth, mask, skeleton) → both, ready to be compared joint by joint."""

MIN_JOINTS = 3
"""Two points are matched exactly by a similarity, whatever they are: nothing is measured."""


def seen_joints(truth: FloatArray, mask: BoolArray | None = None) -> BoolArray:
    """The joints (..., J) that can be measured: finite in `truth` (..., J, 3), and in the mask."""
    x, y, z = np.moveaxis(np.isfinite(truth), -1, 0)  # several times as fast as .all(axis=-1)
    finite: BoolArray = x & y & z
    return finite if mask is None else finite & mask


def check_joints(points: FloatArray, skeleton: Skeleton) -> None:
    """Poses (..., J, 3) of another skeleton would be measured about a wrong root."""
    if points.shape[-2] != skeleton.n_joints:
        raise DataError(
            f"poses of {points.shape[-2]} joints, but {skeleton.name} has {skeleton.n_joints}",
            hint="pass the skeleton of the poses",
        )


def centre_on_root(points: FloatArray, skeleton: Skeleton) -> FloatArray:
    """Poses (..., J, 3) relative to their root; all NaN where the root is not finite."""
    check_joints(points, skeleton)
    points = np.asarray(points, np.float64)
    root = points[..., skeleton.indices(*skeleton.root), :].mean(axis=-2, keepdims=True)
    return points - np.where(np.isfinite(root), root, np.nan)


def align_scale(
    predicted: FloatArray, truth: FloatArray, mask: BoolArray | None = None
) -> FloatArray:
    """Scale each predicted pose about the origin to fit the truth's seen joints best.

    The factor is never negative: that would mirror the pose through the origin.
    """
    seen = seen_joints(truth, mask)[..., None]
    factor = best_factor(np.where(seen, predicted, 0.0), np.where(seen, truth, 0.0))
    return scaled(predicted, np.maximum(factor, 0.0))


def best_factor(predicted: FloatArray, truth: FloatArray) -> FloatArray:
    """The factor (..., 1, 1) of least squares over all joints; zero for a pose of no size."""
    dot = np.einsum("...ji,...ji->...", predicted, truth, dtype=np.float64)
    square = np.einsum("...ji,...ji->...", predicted, predicted, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # ∞ / ∞
        factor: FloatArray = np.divide(dot, square, out=np.zeros_like(dot), where=square != 0)
    return factor[..., None, None]


def scaled(points: FloatArray, factor: FloatArray) -> FloatArray:
    """Poses (..., J, 3) times their factor (..., 1, 1)."""
    with np.errstate(invalid="ignore"):  # 0 · ∞ in a joint that does not count
        product: FloatArray = points * factor
    return product


def align_procrustes(
    predicted: FloatArray, truth: FloatArray, mask: BoolArray | None = None
) -> FloatArray:
    """Fit each predicted pose to the true one on its seen joints, and move all its joints along.

    A pose whose seen joints coincide is put at the centre of the true ones: every scale fits
    equally badly, so zero. NaN where no fit exists: fewer than three seen joints, or a seen joint
    that is not finite in the prediction.
    """
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    seen = seen_joints(truth, mask)
    known = seen_joints(predicted)
    fits = (seen.sum(axis=-1) >= MIN_JOINTS) & (known | ~seen).all(axis=-1)
    moved, centre = _centred(predicted, seen & known)
    target, target_centre = _centred(truth, seen)
    rotation, stretch = _best_rotation(np.swapaxes(moved, -1, -2) @ target)
    size = np.einsum("...ji,...ji->...", moved, moved)
    scale = np.divide(stretch, size, out=np.zeros_like(size), where=size > 0)
    similarity = np.where(fits, scale, np.nan)[..., None, None] * rotation
    everywhere = np.where(known[..., None], predicted, np.nan)
    return (everywhere - centre) @ similarity + target_centre


def _centred(points: FloatArray, chosen: BoolArray) -> tuple[FloatArray, FloatArray]:
    """The chosen joints about their mean (..., J, 3), zero elsewhere; and the mean (..., 1, 3)."""
    weight = chosen[..., None]
    n_joints = np.maximum(weight.sum(axis=-2, keepdims=True), 1)
    points = np.where(weight, points, 0.0)
    centre = np.einsum("...ji->...i", points)[..., None, :] / n_joints
    return np.where(weight, points - centre, 0.0), centre


def _best_rotation(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The rotation R (..., 3, 3) with the greatest trace(Rᵀ·covariance), and that trace (...).

    For row vectors: `moved @ R` comes closest to `target` with covariance = movedᵀ·target.
    """
    u, stretch, vt = np.linalg.svd(covariance)
    # Umeyama's correction: where the best orthogonal matrix mirrors, the weakest axis is turned.
    sign = np.sign(np.linalg.det(u @ vt))
    u[..., 2] *= sign[..., None]
    stretch[..., 2] *= sign
    return u @ vt, stretch.sum(axis=-1)


def _root(predicted: FloatArray, truth: FloatArray, mask: BoolArray, skeleton: Skeleton) -> Pair:
    return centre_on_root(predicted, skeleton), centre_on_root(truth, skeleton)


def _scale(predicted: FloatArray, truth: FloatArray, mask: BoolArray, skeleton: Skeleton) -> Pair:
    predicted, truth = _root(predicted, truth, mask, skeleton)
    return align_scale(predicted, truth, mask), truth


def _procrustes(
    predicted: FloatArray, truth: FloatArray, mask: BoolArray, skeleton: Skeleton
) -> Pair:
    enough = seen_joints(truth, mask).sum(axis=-1) >= MIN_JOINTS
    measured = np.where(enough[..., None, None], truth, np.nan)
    return align_procrustes(predicted, truth, mask), measured


ALIGNMENTS: dict[str, Alignment] = {"root": _root, "scale": _scale, "procrustes": _procrustes}

_MMPOSE_ALIGNMENTS: dict[str, Alignment] = {
    "root": lambda predicted, truth, mask, skeleton: (predicted, truth),
    "scale": lambda predicted, truth, mask, skeleton: (
        scaled(predicted, best_factor(predicted, truth)),
        truth,
    ),
    "procrustes": lambda predicted, truth, mask, skeleton: (
        align_procrustes(predicted, truth),
        truth,
    ),
}


def find_alignment(name: str, compat: str | None) -> Alignment:
    """An alignment by name: `root`, `scale` (about the root) or `procrustes`."""
    if compat not in (None, "mmpose"):
        raise unknown_name("compat", compat, ["mmpose"])
    known = _MMPOSE_ALIGNMENTS if compat else ALIGNMENTS
    if name not in known:
        raise unknown_name("alignment", name, known)
    return known[name]
