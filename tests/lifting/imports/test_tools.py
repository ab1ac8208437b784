"""Every tool's checkpoint becomes a lifter that gives the tool's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from auglift.errors import ConfigError, ModelError, UsageError
from auglift.geometry.skeleton import H36M_17
from auglift.lifting.features import make_features
from auglift.lifting.imports import TOOLS, recognise
from auglift.lifting.imports.assemble import assemble
from auglift.lifting.imports.checkpoint_file import read_weights
from auglift.lifting.imports.draft import Draft, Told
from auglift.lifting.imports.statistics import Statistics
from auglift.lifting.models.interface import LifterModel

Weights = dict[str, Tensor]
Read = Callable[[str], Any]
Write = Callable[..., Path]
AsFile = dict[str, Callable[[Weights], dict[str, Any]]]

STATS = Statistics((500.0,) * 34, (100.0,) * 34, (0.01,) * 48, (0.2,) * 48)


def drafted(path: Path, told: Told | None = None, tool: str | None = None) -> tuple[str, Draft]:
    weights = read_weights(path)
    tool = recognise(weights, tool)
    return tool, TOOLS[tool].draft(weights, told or Told(stats=STATS))


def built(draft: Draft, **model: object) -> LifterModel:
    spec = replace(draft.spec, model=draft.spec.model | model)
    return assemble(spec, draft.weights)


# Golden, whose file, what no tensor shows, and whether it has the confidence as it is.
FILES: dict[str, tuple[str, str, dict[str, object], bool]] = {
    "videopose3d 27": ("ref_videopose3d_27", "videopose3d", {}, False),
    "videopose3d 81": ("ref_videopose3d_81", "videopose3d", {}, False),
    "poseformer": ("ref_poseformer9", "poseformer", {"heads": 4}, False),
    "mmpose": ("net_tcn27_dilated", "mmpose", {}, False),
    "mmpose, strided": ("net_tcn27_stride", "mmpose", {}, False),
    "mmpose, causal": ("net_tcn27_causal_dilated", "mmpose", {"causal": True}, False),
    "mmpose, simple baseline": ("net_tcn_img", "mmpose", {}, False),
    "motionbert": ("net_dstformer", "motionbert", {"heads": 4}, True),
    "motionbert of mmpose": ("net_dstformer", "motionbert of mmpose", {"heads": 4}, True),
    "motionagformer": ("ref_motionagformer9", "motionagformer", {"heads": 4}, True),
}


@pytest.mark.parametrize("name", FILES)
@torch.no_grad()
def test_a_converted_checkpoint_gives_the_references_numbers(
    name: str, golden: Read, write: Write, as_file: AsFile
) -> None:
    reference, kind, arguments, raw_confidence = FILES[name]
    one = golden(reference)
    tool, draft = drafted(write(as_file[kind](one.weights)))
    assert tool == kind.partition(" ")[0]
    model = built(draft, **arguments)
    x = with_our_confidence(one.x) if raw_confidence else one.x
    torch.testing.assert_close(model(x), one.y, atol=1e-5, rtol=0)


def with_our_confidence(x: Tensor) -> Tensor:
    """Its confidence c as our channel 2c − 1."""
    ours = x.clone()
    ours[..., 2] = 2.0 * x[..., 2] - 1.0
    return ours


def columns(n_frames: int) -> dict[str, Tensor]:
    """Detections (1, T, …) of a person who is seen and measured everywhere."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(1, n_frames, 17, 2, generator=generator) * torch.tensor([1000.0, 800.0])
    depth = 4.0 + 2.5 * torch.rand(1, n_frames, 17, 1, generator=generator)
    # In the order of the table: point, median, min, max, low, high.
    spread = torch.tensor([0.0, 0.01, -0.3, 0.4, -0.2, 0.3])
    return {
        "joints_2d": pixels,
        "joint_confidence": torch.rand(1, n_frames, 17, generator=generator),
        "depth_m": depth + spread,
        "depth_valid": torch.ones(1, n_frames, 17, dtype=torch.bool),
        "detected": torch.ones(1, n_frames, dtype=torch.bool),
        "image_wh": torch.tensor([1000, 800]).expand(1, n_frames, 2),
    }


def by_auglifts_codec(c: dict[str, Tensor], variant: str, image_codec: bool) -> Tensor:
    """What the repository's networks see (1, T, 17, C), after its two codecs' formulas."""
    w, h = 1000.0, 800.0
    x, y = c["joints_2d"].unbind(-1)
    confidence = c["joint_confidence"] if image_codec else 2.0 * c["joint_confidence"] - 1.0
    point, low, high = (c["depth_m"][..., i] for i in (0, 4, 5))
    above = point - point.amin(dim=-1, keepdim=True)
    channels = [2.0 * x / w - 1.0, 2.0 * y / w - h / w]
    if variant == "xyd":
        return torch.stack([*channels, 2.0 * above], dim=-1)
    if variant != "xy":
        channels.append(confidence)
    if variant == "xycd":
        channels.append(above if image_codec else above.clamp(0.0, 2.0) - 1.0)
    if variant == "casp-code":
        channels += [above, (low - point).clamp(-1, 1), (high - point).clamp(-1, 1)]
    return torch.stack(channels, dim=-1)


@pytest.mark.parametrize("variant", ["xy", "xyc", "xyd", "xycd", "casp-code"])
@torch.no_grad()
def test_auglifts_poseformer_sees_what_its_codec_made(
    variant: str, golden: Read, write: Write, as_file: AsFile
) -> None:
    """From the columns of a table to the pose, for every input; the golden has six channels."""
    one = golden("ref_auglift_poseformer9_6ch")
    seen = by_auglifts_codec(columns(9), variant, image_codec=False)
    n_channels = seen.shape[-1]
    first = "backbone.spatial_encoder.embed_in.weight"
    narrow = one.weights | {first: one.weights[first][:, :n_channels].clone()}
    reference = assembled_plainly(one.weights, torch.nn.functional.pad(seen, (0, 6 - n_channels)))
    told = Told(variant=variant)
    tool, draft = drafted(write(as_file["auglift-poseformer"](narrow)), told)
    assert (tool, draft.spec.features.variant) == ("auglift-poseformer", variant)
    found = built(draft, heads=4)(make_features(columns(9), draft.spec.features, H36M_17))
    torch.testing.assert_close(found, reference, atol=1e-5, rtol=0)


def assembled_plainly(weights: Weights, x: Tensor) -> Tensor:
    """The reference network itself, as the models' own tests load it."""
    from auglift.lifting.models.auglift_poseformer import REFERENCE_KEYS, AugLiftPoseFormer
    from auglift.lifting.models.reference_keys import renamed

    model = AugLiftPoseFormer(frames=9, in_channels=6, channels=8, layers=2, heads=4)
    model.load_state_dict(renamed(weights, REFERENCE_KEYS))
    poses: Tensor = model.eval()(x)
    return poses


@torch.no_grad()
def test_auglifts_poseformer_is_the_golden_one(golden: Read) -> None:
    """So that what the test above compares with is the reference."""
    one = golden("ref_auglift_poseformer9_6ch")
    torch.testing.assert_close(assembled_plainly(one.weights, one.x), one.y, atol=1e-5, rtol=0)


@torch.no_grad()
def test_auglifts_tcn_sees_what_its_codec_made(golden: Read, write: Write, as_file: AsFile) -> None:
    from auglift.lifting.imports.mmpose import our_names
    from auglift.lifting.models.tcn import TCN

    one = golden("net_tcn27_xycd")
    reference = TCN(frames=27, in_channels=4, channels=16)
    reference.load_state_dict(our_names(one.weights))
    torch.testing.assert_close(reference.eval()(one.x), one.y, atol=1e-5, rtol=0)
    tool, draft = drafted(write(as_file["auglift-tcn"](one.weights)))
    assert (tool, draft.spec.features.variant) == ("auglift-tcn", "xycd")
    seen = by_auglifts_codec(columns(27), "xycd", image_codec=True)
    found = built(draft)(make_features(columns(27), draft.spec.features, H36M_17))
    torch.testing.assert_close(found, reference(seen), atol=1e-5, rtol=0)


def test_each_checkpoint_brings_its_conventions(
    golden: Read, write: Write, as_file: AsFile
) -> None:
    def spec(reference: str, kind: str) -> Any:
        return drafted(write(as_file[kind](golden(reference).weights)))[1].spec

    pavllo = spec("ref_videopose3d_81", "videopose3d")
    assert (pavllo.fps, pavllo.features.variant, pavllo.features.keypoints) == (50.0, "xy", "width")
    assert pavllo.features.scale == "none"
    assert pavllo.model["widths"] == (3, 3, 3, 3)
    assert pavllo.target.metric
    simple = spec("net_tcn_img", "mmpose")
    assert simple.features.keypoints == simple.target.convention == "zscore"
    assert (simple.target.root, simple.model["out_joints"]) == ("removed", 16)
    assert simple.target.mean == STATS.target_mean
    assert simple.features.keypoint_std == STATS.keypoints_std
    for reference, kind in (
        ("net_dstformer", "motionbert"),
        ("ref_motionagformer9", "motionagformer"),
    ):
        image = spec(reference, kind)
        assert (image.features.variant, image.target.convention) == ("xyc", "image")
        assert not image.target.metric
    auglift = spec("ref_auglift_poseformer9_6ch", "auglift-poseformer")
    assert (auglift.fps, auglift.features.depth_origin, auglift.model["frames"]) == (25.0, "min", 9)


def test_names_of_mmpose_before_1_and_its_trajectory(
    golden: Read, write: Write, as_file: AsFile
) -> None:
    weights = golden("net_tcn27_dilated").weights
    old = {name.replace("head.", "keypoint_head."): value for name, value in weights.items()}
    old |= {f"traj_{name}": value[:3] for name, value in weights.items() if value.dim()}
    old |= {"traj_head.conv.bias": torch.zeros(3)}
    tool, draft = drafted(write(as_file["mmpose"](old)))
    assert tool == "mmpose"
    built(draft)


def test_files_older_than_a_counter(golden: Read, write: Write, as_file: AsFile) -> None:
    weights = golden("ref_videopose3d_27").weights
    old = {n: v for n, v in weights.items() if not n.endswith("num_batches_tracked")}
    built(drafted(write(as_file["videopose3d"](old)))[1])


def test_z_scored_networks_want_their_statistics(
    golden: Read, write: Write, as_file: AsFile
) -> None:
    path = write(as_file["mmpose"](golden("net_tcn_img").weights))
    with pytest.raises(ModelError, match="of keypoints are not in the file") as caught:
        drafted(path, Told())
    assert "joint2d_stats.pkl" in str(caught.value)
    absolute = replace(STATS, target_mean=(0.0,) * 51, target_std=(1.0,) * 51)
    with pytest.raises(ModelError, match="of targets are of 51 numbers, not 48"):
        drafted(path, Told(stats=absolute))
    # The AugLift repository's SimpleBaseline looks the same, and does not z-score.
    _, draft = drafted(path, Told(), tool="auglift-tcn")
    assert (draft.spec.target.convention, draft.spec.target.root) == ("metres", "removed")


def test_what_does_not_fit_is_said(golden: Read, write: Write, as_file: AsFile) -> None:
    weights = golden("ref_poseformer9").weights
    path = write(as_file["poseformer"](weights))
    with pytest.raises(ConfigError, match="takes 2 channels per joint, which 'xycd' is not"):
        drafted(path, Told(variant="xycd"))
    with pytest.raises(ConfigError, match="has 17 joints, smpl_24 has 24"):
        drafted(path, Told(skeleton="smpl_24"))
    with pytest.raises(UsageError, match="unknown tool 'poseform'") as caught:
        drafted(path, tool="poseform")
    assert "did you mean 'poseformer'" in str(caught.value)
    with pytest.raises(ModelError, match="lacks the tensor joints_embed"):
        drafted(path, tool="motionbert")
    draft = drafted(path)[1]
    with pytest.raises(ModelError, match="cannot be shared by 3 heads"):
        built(draft, heads=3)


@pytest.mark.parametrize("kind", ["videopose3d", "poseformer", "motionbert", "motionagformer"])
def test_missing_and_foreign_tensors_are_named(
    kind: str, golden: Read, write: Write, as_file: AsFile
) -> None:
    weights = golden(next(one[0] for one in FILES.values() if one[1] == kind)).weights
    arguments = {} if kind == "videopose3d" else {"heads": 4}
    whole = drafted(write(as_file[kind](weights)))[1]
    lost = next(n for n in reversed(whole.weights) if n.endswith("bias"))
    damaged = replace(whole, weights={n: v for n, v in whole.weights.items() if n != lost})
    with pytest.raises(ModelError, match=f"it lacks {lost}"):
        built(damaged, **arguments)
    more = replace(whole, weights=whole.weights | {"extra.weight": torch.ones(1)})
    with pytest.raises(ModelError, match=r"has besides extra\.weight"):
        built(more, **arguments)
    wrong = replace(whole, weights=whole.weights | {lost: torch.ones(99)})
    with pytest.raises(ModelError, match=r"\(99,\) instead of"):
        built(wrong, **arguments)
    nan = replace(whole, weights=whole.weights | {lost: whole.weights[lost] * torch.nan})
    with pytest.raises(ModelError, match="not finite"):
        built(nan, **arguments)


def test_every_tensor_may_be_missing(golden: Read) -> None:
    """Whichever it is, the error is one that can be read."""

    def convert(weights: Weights) -> None:
        tool = recognise(weights)
        built(TOOLS[tool].draft(weights, Told()), **({"heads": 4} if "bert" in tool else {}))

    for reference in ("ref_videopose3d_27", "net_tcn27_dilated", "net_dstformer"):
        weights = golden(reference).weights
        convert(weights)
        for lost in weights:
            if not lost.endswith("num_batches_tracked"):
                with pytest.raises(ModelError):
                    convert({name: value for name, value in weights.items() if name != lost})


def test_other_networks_are_not_taken_for_these() -> None:
    with pytest.raises(ModelError, match="not known here; its tensors are fc") as caught:
        recognise({"fc.weight": torch.ones(2, 2), "fc.bias": torch.ones(2)})
    assert "videopose3d" in str(caught.value)
