"""What every registered architecture must do; sizes are tiny, so that this stays fast."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

from auglift.errors import UsageError
from auglift.geometry.descriptor import STATISTICS
from auglift.geometry.skeleton import H36M_17
from auglift.lifting.features import make_features
from auglift.lifting.models import ARCHITECTURES, build_model
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.spec import VARIANTS, FeatureConfig

WINDOWED = {"frames": 3, "dropout": 0.0, "drop_path": 0.0, "heads": 2}
SMALL: dict[str, dict[str, Any]] = {
    "tcn": {"widths": (3, 3), "channels": 64, "dropout": 0.0},
    "poseformer": {**WINDOWED, "channels": 8, "layers": 1},
    "poseformer-m2m": {**WINDOWED, "channels": 8, "layers": 1},
    "auglift-poseformer": {**WINDOWED, "channels": 8, "layers": 1},
    "motionbert": {**WINDOWED, "channels": 32, "rep_channels": 32, "layers": 1},
    "motionagformer": {**WINDOWED, "channels": 32, "rep_channels": 32, "layers": 1},
    "transformer": {**WINDOWED, "channels": 32, "layers": 1, "decoder_layers": 1},
    "vit": {**WINDOWED, "channels": 48, "layers": 2},
}
"""Constructor arguments by name; an architecture that is registered must have an entry here."""

STEPS = 150
"""In which every one of them learns two windows by heart, to 5 mm."""

BOX = FeatureConfig(variant="casp")

KNEE = H36M_17.index("left_knee")


def small(arch: str, **arguments: Any) -> LifterModel:
    torch.manual_seed(0)
    sizes = {"in_channels": len(BOX.channels), **SMALL[arch], **arguments}
    return build_model(arch, **sizes)


def takers(argument: str) -> list[str]:
    """The architectures that have it."""
    return [a for a in ARCHITECTURES if argument in inspect.signature(ARCHITECTURES[a]).parameters]


def some_features(model: LifterModel, n: int, n_frames: int | None = None) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (n, n_frames or model.receptive_field, 17, len(BOX.channels))
    return torch.randn(shape, generator=generator)


def n_poses(model: LifterModel, n_frames: int) -> int:
    return n_frames if model.sequence else n_frames - model.receptive_field + 1


def frames_behind(model: LifterModel, x: Tensor, i_pose: int) -> list[int]:
    """The frames of which the `i_pose`-th pose is made, by its gradient."""
    x = x.clone().requires_grad_()
    model(x)[0, i_pose].square().sum().backward()
    assert x.grad is not None
    return x.grad[0].abs().sum(dim=(1, 2)).nonzero().flatten().tolist()


def columns(n_frames: int) -> dict[str, Tensor]:
    """Detected columns of one window (1, T, ...), whose left knee was not found in any frame."""
    generator = torch.Generator().manual_seed(2)
    seen = {
        "joints_2d": 500.0 + 200.0 * torch.randn(1, n_frames, 17, 2, generator=generator),
        "joint_confidence": torch.rand(1, n_frames, 17, generator=generator),
        "depth_m": 4.0 + torch.rand(1, n_frames, 17, len(STATISTICS), generator=generator),
        "depth_valid": torch.ones(1, n_frames, 17, dtype=torch.bool),
        "detected": torch.ones(1, n_frames, dtype=torch.bool),
        "image_wh": torch.full((1, n_frames, 2), 1000),
    }
    seen["joints_2d"][:, :, KNEE, 0] = torch.nan
    seen["depth_valid"][:, :, KNEE] = False
    return seen


@pytest.fixture(params=ARCHITECTURES)
def arch(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_an_unknown_architecture_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="tcn"):
        build_model("tnc")


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_every_variant_gives_a_pose_to_the_frames_that_it_should(arch: str, variant: str) -> None:
    n_channels = len(FeatureConfig(variant=variant).channels)
    model = small(arch, in_channels=n_channels).eval()
    lengths = [model.receptive_field]
    if model.any_length:
        lengths += [2 * model.receptive_field + 1]
    for n_frames in lengths:
        poses = model(torch.randn(2, n_frames, 17, n_channels))
        assert poses.shape == (2, n_poses(model, n_frames), 17, 3)
        assert poses.isfinite().all()


@torch.no_grad()
def test_the_halves_have_the_widths_they_promise(arch: str) -> None:
    model = small(arch).eval()
    x = some_features(model, 2)
    hidden = model.encode(x)
    joints = (17,) if model.per_joint else ()
    assert hidden.shape == (2, n_poses(model, x.shape[1]), *joints, model.width)
    assert torch.equal(model.decode(hidden), model(x))


@torch.no_grad()
def test_two_numbers_per_joint_where_2d_is_learned_from_2d(arch: str) -> None:
    model = small(arch, out_channels=2).eval()
    x = some_features(model, 2)
    assert model(x).shape == (2, n_poses(model, x.shape[1]), 17, 2)


def test_gradients_reach_every_parameter(arch: str) -> None:
    model = small(arch)
    model(some_features(model, 3)).square().sum().backward()
    dead = [
        name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().sum() == 0
    ]
    assert dead == []


def test_it_learns_one_batch_by_heart(arch: str) -> None:
    model = small(arch)
    x = some_features(model, 2)
    target = 0.3 * torch.randn(2, n_poses(model, x.shape[1]), 17, 3)
    optimiser = torch.optim.Adam(model.parameters())
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=STEPS)
    for _ in range(STEPS):
        optimiser.zero_grad()
        error = (model(x) - target).norm(dim=-1).mean()
        error.backward()
        optimiser.step()
        rate.step()
    assert error.item() < 0.005


@torch.no_grad()
def test_people_in_a_batch_do_not_see_each_other(arch: str) -> None:
    model = small(arch).eval()
    x = some_features(model, 3)
    torch.testing.assert_close(model(x)[:1], model(x[:1]), atol=1e-5, rtol=0)


def test_a_pose_is_made_of_its_receptive_field(arch: str) -> None:
    model = small(arch).eval()
    field = model.receptive_field
    if model.sequence:
        for i_pose in (0, field - 1):
            assert frames_behind(model, some_features(model, 1), i_pose) == [*range(field)]
    else:
        x = some_features(model, 1, 2 * field + 1 if model.any_length else field)
        last = n_poses(model, x.shape[1]) - 1
        for i_pose in {0, last // 2, last}:
            assert frames_behind(model, x, i_pose) == [*range(i_pose, i_pose + field)]


@pytest.mark.parametrize("arch", takers("causal"))
def test_causal_models_see_no_future(arch: str) -> None:
    model = small(arch, causal=True).eval()
    assert model.causal
    field = model.receptive_field
    x = some_features(model, 1, 2 * field + 1 if model.any_length else field)
    for i_pose in range(n_poses(model, x.shape[1])):
        now = i_pose if model.sequence else i_pose + field - 1
        assert max(frames_behind(model, x, i_pose)) == now


@pytest.mark.parametrize("arch", takers("checkpointing"))
def test_checkpointing_changes_no_gradient(arch: str) -> None:
    gradients = []
    for checkpointing in (False, True):
        model = small(arch, checkpointing=checkpointing)
        model(some_features(model, 2)).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, again)


@torch.no_grad()
def test_what_is_said_of_a_joint_that_was_not_detected_changes_nothing(arch: str) -> None:
    model = small(arch).eval()
    before = columns(model.receptive_field)
    masked = {name: value.clone() for name, value in before.items()}
    masked["joints_2d"][:, :, KNEE, 1] += 300.0
    masked["joint_confidence"][:, :, KNEE] = 0.9
    masked["depth_m"][:, :, KNEE] += 1.0
    seen = {name: value.clone() for name, value in before.items()}
    seen["joints_2d"][:, :, H36M_17.index("right_knee"), 1] += 300.0

    def lift(of: dict[str, Tensor]) -> Tensor:
        poses: Tensor = model(make_features(of, BOX, H36M_17))
        return poses

    assert torch.equal(lift(masked), lift(before))
    assert not torch.allclose(lift(seen), lift(before), atol=1e-6)
