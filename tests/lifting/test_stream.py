"""A stream gives the clip's poses, whoever comes and goes, and remembers no more than it must."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from auglift.lifting.models.depth_pathway import DepthPathway
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.motionbert import MotionBERT
from auglift.lifting.models.poseformer import PoseFormer
from auglift.lifting.models.tcn import TCN
from auglift.lifting.stream import CausalTCN, LiftStream, RollingWindow


def shaken(model: LifterModel) -> LifterModel:
    """With statistics of batch normalisation as after training, not those of the start."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return model.eval()


def tcn(frames: int = 27, **arguments: Any) -> LifterModel:
    torch.manual_seed(0)
    return shaken(TCN(**{"frames": frames, "channels": 16, "causal": True} | arguments))


def streamed(stream: LiftStream, clip: Tensor) -> Tensor:
    """Poses (P, T, J, 3) of a clip (P, T, J, C), shown frame by frame."""
    return torch.stack([stream.step(frame) for frame in clip.unbind(1)], dim=1)


@torch.no_grad()
def padded(model: LifterModel, clip: Tensor) -> Tensor:
    """The clip's poses, its first frame repeated before it."""
    return model(torch.cat([clip[:, :1].expand(-1, model.receptive_field - 1, -1, -1), clip], 1))


def with_pathway() -> LifterModel:
    model = DepthPathway(tcn(9), n_joints=17, in_channels=3, depth_channels=(1,))
    torch.nn.init.ones_(model.gate)
    return model.eval()


@pytest.mark.parametrize(
    ("model", "memory"),
    [
        (tcn(27), CausalTCN),
        (tcn(1), CausalTCN),
        (tcn(widths=(5, 3, 1), frames=15), CausalTCN),
        (with_pathway(), RollingWindow),
    ],
    ids=["tcn-27", "tcn-1", "tcn-15", "depth-pathway"],
)
def test_a_causal_stream_is_the_clip(model: LifterModel, memory: type) -> None:
    n_channels = 3 if memory is RollingWindow else 2
    clip = torch.randn(3, 40, 17, n_channels)
    stream = LiftStream(model, 3)
    assert isinstance(stream._newest, memory)
    torch.testing.assert_close(streamed(stream, clip), padded(model, clip), atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [tcn, lambda: with_pathway()], ids=["layers", "windows"])
def test_people_join_and_leave(make: Any) -> None:
    model = make()
    n_channels = 3 if isinstance(model, DepthPathway) else 2
    clips = [torch.randn(1, n, 17, n_channels) for n in (50, 20, 23)]
    seats = torch.full((2, 50, 17, n_channels), torch.nan)
    seats[0], seats[1, :20], seats[1, 27:] = clips[0][0], clips[1][0], clips[2][0]
    stream, poses = LiftStream(model, 2), []
    for i in range(50):
        if i == 27:
            stream.reset([1])
        poses.append(stream.step(seats[:, i]))
    first, second = torch.stack(poses, dim=1).split(1)
    for found, clip in ((first, clips[0]), (second[:, :20], clips[1]), (second[:, 27:], clips[2])):
        torch.testing.assert_close(found, padded(model, clip), atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [tcn, with_pathway], ids=["layers", "windows"])
def test_a_camera_of_twice_the_rate_is_two_interleaved_clips(make: Any) -> None:
    model = make()
    clip = torch.randn(2, 31, 17, 3 if isinstance(model, DepthPathway) else 2)
    found = streamed(LiftStream(model, 2, every=2), clip)
    field = model.receptive_field
    rows = (torch.arange(31)[:, None] + 2 * torch.arange(1 - field, 1)).clamp(min=0)
    with torch.no_grad():
        expected = torch.stack([model(clip[:, window])[:, 0] for window in rows], dim=1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_at_any_other_rate_the_past_is_interpolated() -> None:
    model = tcn(9, causal=False)
    clip = torch.randn(2, 20, 17, 2)
    found = streamed(LiftStream(model, 2, every=1.2), clip)
    for i in range(20):
        at = torch.clamp(i - torch.tensor([4.8, 3.6, 2.4, 1.2, 0, 0, 0, 0, 0]), min=0)
        share = (at - at.floor())[:, None, None]
        window = (1 - share) * clip[:, at.floor().long()] + share * clip[:, at.ceil().long()]
        torch.testing.assert_close(found[:, i], model(window)[:, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "model",
    [tcn(9, causal=False), shaken(PoseFormer(frames=9, channels=8, layers=1, heads=2))],
    ids=["tcn", "poseformer"],
)
@torch.no_grad()
def test_a_window_that_looks_ahead_sees_the_newest_frame_repeated(model: LifterModel) -> None:
    clip = torch.randn(2, 12, 17, 2)
    found = streamed(LiftStream(model, 2), clip)
    for i in range(12):
        window = clip[:, torch.arange(i - 4, i + 5).clamp(0, i)]
        torch.testing.assert_close(found[:, i], model(window)[:, 0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_sequence_lifter_gives_the_last_pose_of_the_clip_so_far() -> None:
    model = MotionBERT(frames=6, channels=16, rep_channels=16, layers=1, heads=2).eval()
    clip = torch.randn(2, 9, 17, 2)
    found = streamed(LiftStream(model, 2), clip)
    for i in range(9):
        window = clip[:, torch.arange(i - 5, i + 1).clamp(min=0)]
        torch.testing.assert_close(found[:, i], model(window)[:, -1], atol=1e-5, rtol=0)


def test_what_is_remembered_does_not_grow() -> None:
    stream = LiftStream(tcn(27), 2)

    def remembered() -> list[int]:
        return [past._ring.numel() for past in stream._newest.pasts]

    stream.step(torch.randn(2, 17, 2))
    before = remembered()
    streamed(stream, torch.randn(2, 100, 17, 2))
    assert remembered() == before == [2 * 3 * 34, 2 * 7 * 16, 2 * 19 * 16]


def test_a_frame_of_another_number_of_people_is_refused() -> None:
    with pytest.raises(ValueError, match="3 people in a stream of 2"):
        LiftStream(tcn(), 2).step(torch.randn(3, 17, 2))


def test_half_precision_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auglift.lifting.stream.usable_precision", lambda kind, device: kind)
    clip = torch.randn(2, 20, 17, 2)
    for model in (tcn(9), with_pathway()):
        features = clip if isinstance(model, TCN) else torch.cat([clip, clip[..., :1]], dim=-1)
        found = streamed(LiftStream(model, 2, precision="bf16"), features)
        exact = padded(model, features)
        assert found.dtype == torch.float32
        error = (found - exact).abs().max() / exact.std()
        assert 1e-4 < float(error) < 0.1


def test_people_do_not_see_each_other() -> None:
    model = tcn(9)
    clip = torch.randn(2, 12, 17, 2)
    together = streamed(LiftStream(model, 2), clip)
    clip[1] = torch.nan
    beside_nobody = streamed(LiftStream(model, 2), clip)
    np.testing.assert_array_equal(beside_nobody[0], together[0])
