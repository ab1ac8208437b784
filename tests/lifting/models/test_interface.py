"""Every lifter keeps the contract: shapes, gradients, context, single frames, its switches."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from auglift.lifting.models.auglift_poseformer import AugLiftPoseFormer
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.motionagformer import MotionAGFormer
from auglift.lifting.models.motionbert import MotionBERT
from auglift.lifting.models.poseformer import PoseFormer
from auglift.lifting.models.poseformer_m2m import PoseFormerM2M

MODELS: list[type[LifterModel]] = [
    PoseFormer, PoseFormerM2M, AugLiftPoseFormer, MotionBERT, MotionAGFormer,
]  # fmt: skip
SMALL = {"frames": 9, "in_channels": 6, "channels": 16, "layers": 2, "heads": 4, "drop_path": 0.0}

every_model = pytest.mark.parametrize("model_class", MODELS)


def small(model_class: type[LifterModel], **arguments: Any) -> LifterModel:
    torch.manual_seed(0)
    if arguments.get("n_joints") == 133 and model_class is MotionAGFormer:
        arguments["skeleton"] = "wholebody_133"
    return model_class(**SMALL | arguments)


@every_model
@pytest.mark.parametrize("n_joints", [17, 133])
@pytest.mark.parametrize("frames", [1, 9])
def test_both_halves_have_the_promised_shapes(
    model_class: type[LifterModel], n_joints: int, frames: int
) -> None:
    sizes = {"frames": frames, "n_joints": n_joints, "channels": 4, "layers": 1, "heads": 1}
    model = small(model_class, **sizes).eval()
    n_frames = frames if model.sequence else frames + 2
    clip = torch.randn(2, n_frames, n_joints, 6)
    n_poses = n_frames if model.sequence else 3
    hidden = model.encode(clip)
    joints = (n_joints,) if model.per_joint else ()
    assert hidden.shape == (2, n_poses, *joints, model.width)
    assert model.decode(hidden).shape == (2, n_poses, n_joints, 3)
    torch.testing.assert_close(model(clip), model.decode(hidden))


@every_model
def test_other_tasks_have_other_outputs(model_class: type[LifterModel]) -> None:
    model = small(model_class, out_channels=2).eval()
    assert model(torch.randn(2, 9, 17, 6)).shape[-2:] == (17, 2)


@every_model
def test_gradients_reach_every_parameter(model_class: type[LifterModel]) -> None:
    model = small(model_class).train()
    model(torch.randn(4, 9, 17, 6)).square().sum().backward()
    still = {name for name, value in model.named_parameters() if not value.grad.any()}
    assert still == set()


@every_model
def test_a_pose_depends_on_exactly_its_window(model_class: type[LifterModel]) -> None:
    model = small(model_class).eval()
    assert model.receptive_field == 9
    clip = torch.randn(1, 9 if model.sequence else 14, 17, 6, requires_grad=True)
    model(clip)[0, 2].square().sum().backward()
    touched = clip.grad.abs().sum(dim=(0, 2, 3)).nonzero().flatten().tolist()
    assert touched == list(range(9) if model.sequence else range(2, 11))


@every_model
def test_checkpointing_changes_no_gradient(model_class: type[LifterModel]) -> None:
    clip = torch.randn(2, 9, 17, 6)
    gradients = []
    for checkpointing in (False, True):
        model = small(model_class, checkpointing=checkpointing, dropout=0.3, drop_path=0.3)
        torch.manual_seed(1)
        model.train()(clip).square().sum().backward()
        gradients.append([value.grad for value in model.parameters()])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, again)


@every_model
def test_checkpointing_computes_the_blocks_twice(model_class: type[LifterModel]) -> None:
    calls = []
    for checkpointing in (False, True):
        model = small(model_class, checkpointing=checkpointing)
        seen: list[int] = []
        norm = next(m for name, m in model.named_modules() if name.endswith("norm1"))
        norm.register_forward_pre_hook(lambda *_, seen=seen: seen.append(1))
        model(torch.randn(1, 9, 17, 6)).sum().backward()
        calls.append(len(seen))
    assert calls[1] == 2 * calls[0]


@every_model
@pytest.mark.parametrize("switch", ["dropout", "drop_path"])
def test_what_is_dropped_is_dropped_in_training_only(
    model_class: type[LifterModel], switch: str
) -> None:
    model = small(model_class, **{switch: 0.5})
    clip = torch.randn(8, 9, 17, 6)
    model.train()
    assert not torch.equal(model(clip), model(clip))
    model.eval()
    assert torch.equal(model(clip), model(clip))
