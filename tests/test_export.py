"""ONNX files that say what they are, give torch's answers, and are not kept if they do not."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from typer.testing import CliRunner

from auglift.cli.main import app
from auglift.errors import MissingDataError, MissingExtraError, ModelError, UsageError
from auglift.export import ExportConfig, describe, export, export_lifter
from auglift.geometry.skeleton import H36M_17
from auglift.lifting.checkpoint import load_lifter, save_lifter
from auglift.lifting.models.auglift_poseformer import AugLiftPoseFormer
from auglift.lifting.models.depth_pathway import DepthPathway
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.motionagformer import MotionAGFormer
from auglift.lifting.models.motionbert import MotionBERT
from auglift.lifting.models.poseformer import PoseFormer
from auglift.lifting.models.poseformer_m2m import PoseFormerM2M
from auglift.lifting.models.tcn import TCN
from auglift.lifting.models.transformer import Transformer
from auglift.lifting.models.vit import ViT
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig

FEATURES = FeatureConfig(variant="casp")
N_CHANNELS = len(FEATURES.channels)
FRAMES = 9


def spec_of(**arguments: Any) -> LifterSpec:
    return LifterSpec(arch="tcn", model=arguments, features=FEATURES, fps=50.0)


def make_run(root: Path, seed: int = 0) -> Path:
    """A run with an untrained lifter."""
    arguments = {"frames": FRAMES, "in_channels": N_CHANNELS, "channels": 8}
    torch.manual_seed(seed)
    path = root / "work_dirs/tiny/best_model.safetensors"
    save_lifter(path, TCN(**arguments), spec_of(**arguments))
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a run that is exported, not to be changed."""
    root = tmp_path_factory.mktemp("exported")
    make_run(root)
    result = export(ExportConfig(root=root))
    assert result.difference is not None
    assert result.difference < 1e-5
    return root


def run_onnx(path: Path, features: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (poses,) = session.run(["poses"], {"features": features})
    return poses


@torch.no_grad()
def test_the_file_gives_the_lifters_poses_for_any_batch_and_length(root: Path) -> None:
    weights = root / "work_dirs/tiny/best_model.safetensors"
    model, _ = load_lifter(weights)
    for shape in ((1, FRAMES), (5, FRAMES), (2, 100)):
        features = torch.randn(*shape, 17, N_CHANNELS)
        found = run_onnx(weights.with_suffix(".onnx"), features.numpy())
        np.testing.assert_allclose(found, model(features), atol=1e-5)


def test_the_file_says_what_it_is(root: Path) -> None:
    file = onnx.load(root / "work_dirs/tiny/best_model.onnx")
    onnx.checker.check_model(file)
    said = {prop.key: prop.value for prop in file.metadata_props}
    assert said["auglift.format"] == "auglift-lifter-onnx"
    assert said["auglift.units"].startswith("metres from the root")
    assert json.loads(said["auglift.channels"]) == list(FEATURES.channels)
    assert json.loads(said["auglift.joints"]) == list(H36M_17.joints)
    assert json.loads(said["auglift.input_shape"]) == ["batch", "frames", "17", str(N_CHANNELS)]
    assert (said["auglift.receptive_field"], said["auglift.fps"]) == ("9", "50.0")
    assert json.loads(said["auglift.spec"])["features"]["variant"] == "casp"
    # The exporter notes where in our source each operator comes from, with the folder's name.
    assert str(Path(__file__).parents[1]) not in str(file)


def test_what_is_there_is_done_until_the_weights_change(tmp_path: Path, root: Path) -> None:
    shutil.copytree(root / "work_dirs", tmp_path / "work_dirs")
    path = tmp_path / "work_dirs/tiny/best_model.onnx"
    before = path.stat().st_mtime_ns
    assert export(ExportConfig(root=tmp_path)).difference is None
    assert path.stat().st_mtime_ns == before
    weights = make_run(tmp_path, seed=1)
    assert export(ExportConfig(root=tmp_path, dry_run=True)).difference is None
    assert path.stat().st_mtime_ns == before
    assert export(ExportConfig(checkpoint=str(weights), output=path)).difference is not None
    assert path.stat().st_mtime_ns > before


def test_a_lifter_of_the_zoo_is_exported_to_where_one_is(
    tmp_path: Path, lifter_zoo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo = lifter_zoo({"small-xy": ("xy", 3, 60.0)})
    monkeypatch.chdir(tmp_path)
    assert export(ExportConfig(checkpoint="small-xy")).path == Path("small-xy.onnx")
    assert (tmp_path / "small-xy.onnx").is_file()
    assert not list(zoo.rglob("*.onnx"))


def test_other_peoples_files_are_kept(tmp_path: Path) -> None:
    make_run(tmp_path)
    path = tmp_path / "theirs.onnx"
    path.write_bytes(b"theirs")
    with pytest.raises(UsageError, match="no export of auglift"):
        export(ExportConfig(root=tmp_path, output=path))
    assert path.read_bytes() == b"theirs"


def test_a_file_that_differs_from_torch_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here one that gives x, y and the confidence back as the pose."""
    graph = helper.make_graph(
        [helper.make_node("Slice", ["features", "from", "to", "axis"], ["poses"])],
        "wrong",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["b", "t", 17, N_CHANNELS])],
        [helper.make_tensor_value_info("poses", TensorProto.FLOAT, ["b", "t", 17, 3])],
        [
            helper.make_tensor(name, TensorProto.INT64, [1], [value])
            for name, value in {"from": 0, "to": 3, "axis": 3}.items()
        ],
    )
    wrong = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    monkeypatch.setattr("auglift.export._converted", lambda model, spec: wrong)
    torch.manual_seed(0)
    model = MotionBERT(
        frames=FRAMES, in_channels=N_CHANNELS, channels=8, rep_channels=8, layers=1, heads=2
    )
    spec = spec_of()
    path = tmp_path / "model.onnx"
    with pytest.raises(ModelError, match="differs from torch"):
        export_lifter(model.eval(), spec, path, describe(model, spec, ""))
    assert list(tmp_path.iterdir()) == []


def test_a_lifter_without_root_or_metres_says_so() -> None:
    target = TargetConfig(convention="image", root="removed")
    spec = LifterSpec(arch="any", model={}, features=FEATURES, target=target)
    said = describe(PoseFormer(frames=FRAMES, channels=8, layers=1), spec, "")
    assert said["auglift.units"].startswith("halves of the longer picture side")
    assert json.loads(said["auglift.joints"]) == list(H36M_17.joints[1:])
    assert json.loads(said["auglift.input_shape"])[1] == "9"


def test_a_pre_training_is_not_exported(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    model, spec = load_lifter(path)
    save_lifter(path, model, replace(spec, data={"task": "3d3d"}))
    with pytest.raises(UsageError, match="tiny was pre-trained by 3d3d"):
        export(ExportConfig(root=tmp_path))


def test_without_onnxscript_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError) as caught:
        export(ExportConfig(root=tmp_path))
    assert caught.value.hint == 'pip install "auglift[export]"'


def test_impossible_requests(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not end in \.onnx"):
        ExportConfig(output=tmp_path / "model.pt")
    with pytest.raises(MissingDataError, match="no run with weights"):
        export(ExportConfig(root=tmp_path))


def test_the_command_line(root: Path) -> None:
    done = CliRunner().invoke(app, ["export", "tiny", "--root", str(root), "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["path"].endswith("work_dirs/tiny/best_model.onnx")
    assert result["input_shape"] == ["batch", "frames", "17", str(N_CHANNELS)]
    assert "there already" in done.stderr


def with_pathway(**arguments: Any) -> LifterModel:
    base = TCN(frames=FRAMES, in_channels=N_CHANNELS - 3, channels=8)
    return DepthPathway(base, n_joints=17, in_channels=N_CHANNELS, depth_channels=(3, 4, 5))


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        with_pathway, PoseFormer, AugLiftPoseFormer, PoseFormerM2M, MotionBERT, MotionAGFormer,
        Transformer, ViT,
    ],
)  # fmt: skip
@pytest.mark.parametrize("frames", [1, FRAMES])
def test_every_architecture_can_be_exported(make: Any, frames: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = make(frames=frames, in_channels=N_CHANNELS, channels=8, layers=1, heads=2).eval()
    path = tmp_path / "model.onnx"
    assert export_lifter(model, spec_of(), path, describe(model, spec_of(), "")) < 1e-4
    assert path.is_file()
