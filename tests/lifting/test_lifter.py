"""One lifter, three ways to lift: the same poses, in the same units, whatever the batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from auglift.errors import ModelError, UsageError
from auglift.geometry.skeleton import H36M_17
from auglift.lifting.lifter import Lifter
from auglift.lifting.models.auglift_poseformer import AugLiftPoseFormer
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.motionagformer import MotionAGFormer
from auglift.lifting.models.motionbert import MotionBERT
from auglift.lifting.models.poseformer import PoseFormer
from auglift.lifting.models.poseformer_m2m import PoseFormerM2M
from auglift.lifting.models.tcn import TCN
from auglift.lifting.models.transformer import Transformer
from auglift.lifting.models.vit import ViT
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig

MANY_TO_ONE = [TCN, PoseFormer, AugLiftPoseFormer]
SEQUENCE = [MotionBERT, MotionAGFormer, PoseFormerM2M, Transformer, ViT]
STARTS = (30, 31, 36)  # tracks of 30, 1, 5 and 28 rows


def make_lifter(
    model_class: type[LifterModel], frames: int = 9, *, variant: str = "casp", **options: Any
) -> Lifter:
    features = FeatureConfig(variant=variant)
    arguments: dict[str, Any] = {"frames": frames, "in_channels": len(features.channels)}
    if model_class is TCN:
        arguments |= {"channels": 16, "causal": options.pop("causal", False)}
    else:
        arguments |= {"channels": 16, "layers": 1, "heads": 2}
    torch.manual_seed(0)
    spec = LifterSpec(arch="any", model=arguments, features=features, **options)
    return Lifter(model_class(**arguments), spec)


@pytest.mark.parametrize("model_class", MANY_TO_ONE)
@pytest.mark.parametrize("fps", [25.0, 50.0, 30.0])
def test_clips_give_the_poses_of_the_windows(
    model_class: type[LifterModel], fps: float, columns, load
) -> None:
    data = load(columns, STARTS, fps=[fps] * 4)
    lifter = make_lifter(model_class)
    of_windows = lifter.lift(data, mode="window")
    np.testing.assert_allclose(lifter.lift(data), of_windows, atol=1e-5)
    np.testing.assert_allclose(lifter.lift(data, batch_size=7), of_windows, atol=1e-5)
    np.testing.assert_allclose(
        lifter.lift(data, flip_test=True),
        lifter.lift(data, mode="window", flip_test=True),
        atol=1e-5,
    )


@pytest.mark.parametrize("frames", [1, 9, 27])
@pytest.mark.parametrize("fps", [25.0, 50.0])
def test_all_three_ways_are_one_for_a_causal_tcn(frames: int, fps: float, columns, load) -> None:
    data = load(columns, STARTS, fps=[fps] * 4)
    lifter = make_lifter(TCN, frames, causal=True)
    clip = lifter.lift(data, mode="clip")
    np.testing.assert_allclose(lifter.lift(data, mode="window"), clip, atol=1e-5)
    np.testing.assert_allclose(lifter.lift(data, mode="stream"), clip, atol=1e-5)
    # Fewer people at once, so that some take the seats of others.
    np.testing.assert_allclose(lifter.lift(data, mode="stream", batch_size=2), clip, atol=1e-5)


def test_a_stream_knows_nothing_of_the_rows_behind(columns, load) -> None:
    lifter = make_lifter(TCN)
    whole = lifter.lift(load(columns), mode="stream")
    some = lifter.lift(load({name: c[:20] for name, c in columns.items()}), mode="stream")
    np.testing.assert_allclose(whole[:20], some, atol=1e-5)
    # A window whose later half is its newest frame is a window at its track's end.
    np.testing.assert_allclose(
        some[-1], lifter.lift(load({name: c[:20] for name, c in columns.items()}))[-1], atol=1e-5
    )
    assert np.abs(whole - lifter.lift(load(columns))).max() > 1e-3


@pytest.mark.parametrize("flip_test", [False, True])
def test_a_live_lifter_is_the_stream(flip_test: bool, columns, load) -> None:
    data = load(columns, fps=[50.0])
    lifter = make_lifter(TCN, causal=True)
    live = lifter.live(1, every=2, flip_test=flip_test)
    poses = [live.step({name: c[[i]] for name, c in data.columns.items()}) for i in range(64)]
    expected = lifter.lift(data, mode="clip", flip_test=flip_test)
    np.testing.assert_allclose(torch.cat(poses), expected, atol=1e-5)


@pytest.mark.parametrize("model_class", SEQUENCE)
@pytest.mark.parametrize("mode", ["auto", "window", "stream"])
def test_sequence_lifters_give_every_row_its_pose(
    model_class: type[LifterModel], mode: str, columns, load
) -> None:
    """A lifter of rows that are all alike has one answer, wherever a row lies in its clip."""
    same = {name: np.repeat(column[:1], 64, axis=0) for name, column in columns.items()}
    lifter = make_lifter(model_class)
    with torch.no_grad():
        for name, value in lifter.model.named_parameters():
            if "temp" in name.lower() or "frame_embedding" in name:
                value.zero_()  # places in a clip
        if model_class is MotionAGFormer:
            lifter.model.layers[0].graph_temporal.layer_scale_1.zero_()
    poses = lifter.lift(load(same, STARTS, fps=[25.0, 50.0, 25.0, 25.0]), mode=mode)
    np.testing.assert_allclose(poses, np.repeat(poses[:1], 64, axis=0), atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("model_class", [MotionBERT, PoseFormerM2M])
def test_without_overlap_clips_are_the_authors(
    model_class: type[LifterModel], columns, load
) -> None:
    data = load({name: column[:36] for name, column in columns.items()})
    lifter = make_lifter(model_class)
    features = lifter.features(data.columns).view(4, 9, 17, -1)
    expected = lifter.model(features).flatten(0, 1)
    np.testing.assert_allclose(lifter.lift(data, overlap=False), expected, atol=1e-5)
    assert np.abs(lifter.lift(data) - expected.numpy()).max() > 1e-4


@torch.no_grad()
def test_a_model_that_stitches_gets_the_whole_track(columns, load) -> None:
    lifter = make_lifter(PoseFormerM2M)
    data = load(columns)
    expected = lifter.model(lifter.features(data.columns)[None])[0]
    np.testing.assert_allclose(lifter.lift(data), expected, atol=1e-5)


def test_poses_come_back_from_the_networks_convention(columns, load) -> None:
    """In z-scored units without root, the same network means other metres."""
    numbers = 16 * 3
    target = TargetConfig(
        convention="zscore", root="removed", mean=(0.5,) * numbers, std=(2.0,) * numbers
    )
    data = load(columns, STARTS)
    plain = make_lifter(TCN)
    model = TCN(**plain.spec.model, out_joints=16)
    weights = plain.model.state_dict()
    weights["shrink.weight"], weights["shrink.bias"] = (
        weights[f"shrink.{name}"][3:] for name in ("weight", "bias")
    )
    model.load_state_dict(weights)
    spec = LifterSpec(arch="tcn", model={}, features=plain.spec.features, target=target)
    i_root = H36M_17.index("pelvis")
    assert i_root == 0
    for mode in ("clip", "window", "stream"):
        poses = Lifter(model, spec).lift(data, mode=mode)
        expected = plain.lift(data, mode=mode) * 2.0 + 0.5
        expected[:, i_root] = 0.0
        np.testing.assert_allclose(poses, expected, atol=1e-5)


def test_picture_units_become_metres_by_the_frames_own_columns(columns, load) -> None:
    target = TargetConfig(convention="image", factor="depth")
    data = load(columns, STARTS)
    lifter = make_lifter(TCN, target=target)
    poses = lifter.lift(data)
    np.testing.assert_allclose(lifter.lift(data, mode="window"), poses, atol=1e-4)
    single = Lifter(lifter.model, LifterSpec(arch="any", model={}, features=lifter.spec.features))
    output = torch.from_numpy(single.lift(data))
    np.testing.assert_allclose(lifter.restore(output, data.columns), poses, atol=1e-4)


def test_bf16_is_near_and_only_where_it_gains(
    columns, load, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exact = make_lifter(TCN, causal=True)
    data = load(columns, STARTS)
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    lifter = Lifter(exact.model, exact.spec, precision="bf16")
    assert "bf16 is switched off" in caplog.text
    np.testing.assert_array_equal(lifter.lift(data), exact.lift(data))
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    lifter = Lifter(exact.model, exact.spec, precision="bf16")
    for mode in ("clip", "stream"):
        poses, truth = lifter.lift(data, mode=mode), exact.lift(data, mode=mode)
        assert poses.dtype == np.float32
        assert 1e-5 < np.abs(poses - truth).max() < 0.1 * truth.std()


def test_what_is_not_finite_is_an_error(columns, load) -> None:
    lifter = make_lifter(TCN)
    with torch.no_grad():
        lifter.model.shrink.bias.fill_(torch.inf)
    with pytest.raises(ModelError, match="not finite"):
        lifter.lift(load(columns))


def test_ways_that_cannot_be(columns, load) -> None:
    lifter = make_lifter(TCN)
    with pytest.raises(UsageError, match="unknown mode of lifting 'clips'") as caught:
        lifter.lift(load(columns), mode="clips")
    assert "did you mean 'clip'" in (caught.value.hint or "")
    for mode in ("clip", "stream"):
        with pytest.raises(UsageError, match="30 Hz"):
            lifter.lift(load(columns, fps=[30.0]), mode=mode)
