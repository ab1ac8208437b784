"""Which lifter and which networks are opened, and which are refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auglift.detection import zoo_detector
from auglift.detection.default_models import REAL, VIRTUAL
from auglift.detection.zoo_detector import OpenedDetector
from auglift.errors import MissingExtraError, UsageError
from auglift.infer import InferConfig, InferResult, infer, tools
from auglift.infer.tools import require_networks
from auglift.lifting.spec import LifterSpec
from auglift.storage.table_metadata import ModelRecord

SaveLifter = Callable[..., None]
Run = Callable[..., InferResult]


def test_a_lifter_of_another_task_is_refused(
    run: Run, tmp_path: Path, film: Path, save_standing: SaveLifter
) -> None:
    path = tmp_path / "other.safetensors"
    save_standing(path, "xyc", data={"task": "denoise"})
    with pytest.raises(UsageError, match="was trained for the task denoise"):
        run(film, checkpoint=str(path))


@pytest.mark.parametrize(
    ("dataset", "variant", "expected"),
    [("virtual", "casp", VIRTUAL), ("h36m", "casp", REAL), ("virtual", "xy", (*VIRTUAL[:2], None))],
)
def test_networks_follow_from_what_the_lifter_was_trained_on(
    dataset: str,
    variant: str,
    expected: tuple[str, ...],
    film: Path,
    tmp_path: Path,
    opened: OpenedDetector,
    save_standing: SaveLifter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "lifter.safetensors"
    save_standing(path, variant, radius_rule="paper", data={"tables": [[dataset, 10]]})
    asked: list[Any] = []

    def open_them(*names: Any, **options: Any) -> OpenedDetector:
        asked.append((names, options["descriptor"].radius_rule))
        return opened

    monkeypatch.setattr(zoo_detector, "open_detector", open_them)
    config = InferConfig(
        inputs=(film,),
        output=tmp_path,
        checkpoint=str(path),
        device="cpu",
        formats=("npz",),
        video=False,
    )
    infer(config)
    assert asked == [(tuple(expected), "paper")]


def test_a_lifter_that_wants_networks_features_is_refused_where_there_are_none(
    run: Run, tmp_path: Path, film: Path, save_standing: SaveLifter
) -> None:
    path = tmp_path / "features.safetensors"
    save_standing(path, "xycd+features", feature_sizes=(4,))
    with pytest.raises(UsageError, match=r"trained with networks' features \(xycd\+features\)"):
        run(film, checkpoint=str(path))


def test_a_lifter_that_does_not_say_how_features_were_read_is_refused(
    run: Run, tmp_path: Path, film: Path, save_standing: SaveLifter
) -> None:
    path = tmp_path / "features.safetensors"
    save_standing(path, "xycd+features", feature_sizes=(4,))
    config = InferConfig(inputs=(film,), checkpoint=str(path), output=tmp_path, device="cpu")
    with pytest.raises(UsageError, match="does not say how its features"):
        infer(config)


@pytest.mark.parametrize(
    ("models", "found"),
    [
        ({"poses2d": ("rtmpose-m", "cd" * 32)}, r"rtmpose-m \(cdcdcdcd\)"),
        ({"people": ("rtmpose-m", "ab" * 32)}, "nothing"),
    ],
)
def test_features_of_other_networks_are_refused(
    models: dict[str, tuple[str, str]], found: str
) -> None:
    spec = LifterSpec(arch="tcn", model={}, data={"networks": {"poses2d": ["mine", "ab" * 32]}})
    require_networks(spec, {"poses2d": ModelRecord("renamed", "ab" * 32)})
    require_networks(LifterSpec(arch="tcn", model={}), {})
    records = {role: ModelRecord(*record) for role, record in models.items()}
    with pytest.raises(UsageError, match=f"features of mine .* those of {found}") as caught:
        require_networks(spec, records)
    assert "--pose-model" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("settings", "module", "extra"),
    [
        ({"formats": ("json", "c3d")}, "ezc3d", "c3d"),
        ({"formats": ("rrd",)}, "rerun", "view"),
        ({"tracker": "bytetrack"}, "trackers", "track"),
    ],
)
def test_a_missing_package_is_said_before_anything_is_opened(
    run: Run, film: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], module: str,
    extra: str,
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"{module} is not installed") as caught:
        run(film, checkpoint="no such run", **settings)
    assert caught.value.hint == f'pip install "auglift[{extra}]"'


def test_a_package_that_nothing_asks_for_may_be_missing(
    run: Run, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("ezc3d", "rerun", "trackers"):
        monkeypatch.setitem(sys.modules, module, None)
    assert run(film, formats=("json",)).error is None


def test_an_unknown_tracker_is_said_before_anything_is_opened(run: Run, film: Path) -> None:
    with pytest.raises(UsageError, match="unknown tracker 'bytetrak'"):
        run(film, checkpoint="no such run", tracker="bytetrak")


def test_tensorrt_is_cuda_to_the_lifter() -> None:
    names = ("auto", "cpu", "cuda:1", "tensorrt", "tensorrt:1", "coreml", "mps")
    found = [tools._device_of_torch(name) for name in names]
    assert found == ["auto", "cpu", "cuda:1", "cuda", "cuda:1", "mps", "mps"]
