"""Losses: MMPose's numbers, closed forms, masks, and the grammar of their sums."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from auglift.errors import UsageError
from auglift.geometry.skeleton import H36M_17, SKELETONS
from auglift.lifting.losses import (
    LARGEST_WEIGHT,
    LOSSES,
    WING_CURVATURE,
    WING_WIDTH,
    Comparison,
    Term,
    divide,
    parse_loss,
    weigh,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "losses.npz"


def compare(predicted: Tensor, truth: Tensor, mask: Tensor | None = None, **rest) -> Comparison:
    shape = truth.shape[:-1]
    given = {"confidence": torch.ones(shape), "skeleton": H36M_17} | rest
    return Comparison(predicted, truth, torch.ones(shape) if mask is None else mask, **given)


def value(text: str, comparison: Comparison) -> float:
    terms = parse_loss(text, comparison.truth.shape[1])
    return divide(*weigh(terms, comparison)).item()


@pytest.fixture
def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN) as file:  # one clip of six frames
        return {name: torch.from_numpy(file[name])[None] for name in file}


def random_pair(seed: int = 0, frames: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pair = torch.randn(2, 3, frames, 17, 3, generator=generator, dtype=torch.float64)
    return pair[0], pair[1]


def test_mmposes_numbers(golden) -> None:
    comparison = compare(golden["predicted"], golden["truth"])
    for name, key in (("mpjpe", "l_mpjpe"), ("mse", "l_mse")):
        assert value(name, comparison) == pytest.approx(float(golden[key]), abs=1e-6)
    # MMPose's MPJPEVelocityJointLoss.
    joint = value("mpjpe + 0.5*n-mpjpe + 20*velocity", comparison)
    assert joint == pytest.approx(float(golden["l_vel"]), abs=1e-6)


def test_mmposes_masked_numbers_divided_by_what_is_left(golden) -> None:
    mask = golden["mask"].double()
    comparison = compare(golden["predicted"], golden["truth"], mask)
    left = mask.mean().item()  # MMPose divides by all joints, the masked ones too
    assert value("mpjpe", comparison) * left == pytest.approx(float(golden["l_mpjpe_w"]), abs=1e-6)
    assert value("mse", comparison) * left == pytest.approx(float(golden["l_mse_w"]), abs=1e-6)


def test_errors_of_coordinates_against_closed_forms() -> None:
    truth = torch.zeros(1, 1, 17, 3)
    for error in (0.01, 0.05, 0.3):
        comparison = compare(torch.full_like(truth, error), truth)
        assert value("l1", comparison) == pytest.approx(error)
        assert value("mse", comparison) == pytest.approx(error**2)
        huber = 0.5 * error**2 if error < 0.1 else 0.1 * (error - 0.05)
        assert value("huber", comparison) == pytest.approx(huber)
        near = WING_WIDTH * math.log(1 + error / WING_CURVATURE)
        far = error - WING_WIDTH + WING_WIDTH * math.log(1 + WING_WIDTH / WING_CURVATURE)
        wing = near if error < WING_WIDTH else far
        assert value("wing", comparison) == pytest.approx(wing, rel=1e-5)


def test_joints_without_trust_count_more_up_to_a_limit() -> None:
    predicted, truth = torch.zeros(1, 1, 17, 3), torch.zeros(1, 1, 17, 3)
    predicted[..., 0, 0], predicted[..., 1, 0] = 1.0, 2.0
    confidence = torch.ones(1, 1, 17)
    confidence[..., 1] = 0.0
    trusted = 1.0 / 1.01**2
    expected = (trusted + 2.0 * LARGEST_WEIGHT) / (16 * trusted + LARGEST_WEIGHT)
    found = value("confidence-mpjpe", compare(predicted, truth, confidence=confidence))
    assert found == pytest.approx(expected)


def test_limbs() -> None:
    predicted, truth = random_pair()
    assert value("limb-length", compare(truth + 1.0, truth)) == pytest.approx(0.0, abs=1e-9)
    assert value("limb-length", compare(1.5 * truth, truth)) == pytest.approx(
        0.5 * value("limb-length", compare(0.0 * truth, truth))
    )
    # A pose and its mirror image mixed half and half is symmetric.
    side = torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    symmetric = predicted.clone()
    symmetric[..., [14, 15, 16, 1, 2, 3], :] = predicted[..., [11, 12, 13, 4, 5, 6], :] * side
    for joint in (0, 7, 8, 9, 10):
        symmetric[..., joint, 0] = 0.0
    assert value("limb-symmetry", compare(symmetric, truth)) == pytest.approx(0.0, abs=1e-9)
    assert value("limb-symmetry", compare(predicted, truth)) > 0.1


@pytest.mark.parametrize("name", sorted(SKELETONS))
def test_every_skeleton_has_symmetric_limbs(name: str) -> None:
    skeleton = SKELETONS[name]
    poses = torch.randn(2, 1, skeleton.n_joints, 3)
    for loss in ("limb-length", "limb-symmetry"):
        assert value(loss, compare(poses, poses + 0.1, skeleton=skeleton)) >= 0.0


def test_motion() -> None:
    times = torch.arange(6.0)[None, :, None, None]
    truth = torch.zeros(1, 6, 17, 3)
    drift = torch.zeros(1, 6, 17, 3)
    drift[..., 0] = (0.1 * times)[..., 0]
    assert value("velocity", compare(drift, truth)) == pytest.approx(0.1)
    assert value("acceleration", compare(drift, truth)) == pytest.approx(0.0, abs=1e-6)
    drift[..., 0] = (0.1 * times**2)[..., 0]
    assert value("acceleration", compare(drift, truth)) == pytest.approx(0.2, rel=1e-5)


def test_depth_order_by_hand() -> None:
    truth, predicted = torch.zeros(1, 1, 17, 3), torch.zeros(1, 1, 17, 3)
    truth[..., 5, 2] = 1.0  # a metre behind the sixteen others: 32 ordered pairs of weight 1
    assert value("ordinal", compare(predicted, truth)) == pytest.approx(math.log(2.0), rel=1e-5)
    right, wrong = predicted.clone(), predicted.clone()
    right[..., 5, 2], wrong[..., 5, 2] = 0.05, -0.05
    assert value("ordinal", compare(right, truth)) == pytest.approx(math.log1p(math.exp(-2.0)))
    assert value("ordinal", compare(wrong, truth)) == pytest.approx(math.log1p(math.exp(2.0)))
    truth[..., 5, 2] = 0.029  # within the margin there is no order
    assert value("ordinal", compare(wrong, truth)) == 0.0


# Symmetry looks at predictions only.
@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"limb-symmetry"}))
def test_what_the_mask_leaves_out_changes_nothing(name: str) -> None:
    predicted, truth = random_pair()
    predicted.requires_grad_()
    mask = torch.ones(3, 5, 17, dtype=torch.float64)
    mask[0, 2:, 3:9] = 0.0
    mask[1] = 0.0
    altered = torch.where(mask[..., None] > 0, predicted, predicted + 7.0).detach().requires_grad_()
    assert value(name, compare(predicted, truth, mask)) == pytest.approx(
        value(name, compare(altered, truth, mask))
    )
    divide(*weigh(parse_loss(name, 5), compare(altered, truth, mask))).backward()
    assert altered.grad is not None
    assert not altered.grad[mask == 0].any()
    assert altered.grad[mask > 0].any()


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_nothing_to_compare_is_zero_and_has_a_gradient(name: str) -> None:
    predicted = torch.zeros(2, 3, 17, 3, requires_grad=True)
    comparison = compare(predicted, torch.zeros(2, 3, 17, 3), torch.zeros(2, 3, 17))
    loss = divide(*weigh(parse_loss(name, 3), comparison))
    loss.backward()
    assert loss.item() == 0.0
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()


def test_sums() -> None:
    assert parse_loss("mpjpe") == (Term(1.0, "mpjpe"),)
    assert parse_loss("2 * mse + l1", 1) == (Term(2.0, "mse"), Term(1.0, "l1"))
    comparison = compare(*random_pair())
    whole = value("mpjpe+0.5*velocity", comparison)
    assert whole == pytest.approx(value("mpjpe", comparison) + 0.5 * value("velocity", comparison))


@pytest.mark.parametrize(
    ("text", "frames", "dimensions", "says"),
    [
        ("mpjp", 1, 3, "unknown loss 'mpjp'"),
        ("mpjpe+", 1, 3, "unknown loss ''"),
        ("x*mpjpe", 1, 3, "no term of a loss"),
        ("nan*mpjpe", 1, 3, "no term of a loss"),
        ("velocity", 1, 3, "compares 2 frames"),
        ("acceleration", 2, 3, "compares 3 frames"),
        ("ordinal", 1, 2, "compares depths"),
    ],
)
def test_wrong_sums(text: str, frames: int, dimensions: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_loss(text, frames, dimensions)
