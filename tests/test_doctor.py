"""`auglift doctor`: finds what is broken, says the repair, exits with 4."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auglift import doctor as module
from auglift.cli.main import app
from auglift.doctor import Check, DoctorConfig, doctor
from auglift.storage import onnx_providers


def by_name(root: Path, **options: str) -> dict[str, Check]:
    return {check.name: check for check in doctor(DoctorConfig(root=root, **options)).checks}


def test_this_machine_is_ready(tmp_path: Path) -> None:
    checks = by_name(tmp_path)
    assert {"Python", "ONNX Runtime", "OpenCV", "CPU", "workspace", "cache", "video"} <= set(checks)
    assert not [check for check in checks.values() if check.status == "broken"]


def test_two_onnx_runtimes_are_found_with_their_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = ["onnxruntime", "onnxruntime-gpu"]
    monkeypatch.setattr(onnx_providers, "onnxruntime_distributions", lambda: both)
    check = by_name(tmp_path)["ONNX Runtime"]
    assert check.status == "broken"
    assert check.repair.startswith("pip uninstall -y onnxruntime onnxruntime-gpu && pip install")


def test_two_opencvs_and_none_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPENCV_WHEELS", ("opencv-python", "numpy"))
    assert by_name(tmp_path)["OpenCV"].status == "broken"
    monkeypatch.setattr(module, "OPENCV_WHEELS", ("no-such-wheel",))
    assert by_name(tmp_path)["OpenCV"].found == "not installed"


def test_cuda_must_bind_only_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_providers, "try_cuda", lambda: "no driver")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert by_name(tmp_path)["CUDA in ONNX Runtime"].status == "note"
    asked = by_name(tmp_path, device="cuda")
    assert asked["CUDA in ONNX Runtime"].status == "broken"
    assert asked["CUDA in torch"].status == "broken"
    assert asked["CUDA in torch"].repair


def test_a_full_disk_and_a_library_that_does_not_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOW_SPACE_GB", 1e9)
    assert by_name(tmp_path)["workspace"].status == "broken"

    def broken(name: str) -> None:
        raise ImportError(f"lib{name}.so is missing")

    monkeypatch.setattr(module.importlib, "import_module", broken)
    assert "libcv2.so is missing" in by_name(tmp_path)["import cv2"].found


def test_the_command_exits_with_4_and_names_repairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = ["--root", str(tmp_path)]
    assert CliRunner().invoke(app, ["doctor", *root]).exit_code == 0
    monkeypatch.setattr(onnx_providers, "onnxruntime_distributions", list)
    result = CliRunner().invoke(app, ["doctor", *root])
    assert result.exit_code == 4
    assert "pip install --force-reinstall" in result.stderr
    result = CliRunner().invoke(app, ["doctor", "--json", *root])
    assert result.exit_code == 4
    assert json.loads(result.stdout)["ok"] is False


def test_extras_in_square_brackets_reach_the_eye(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXTRAS", {"ray": "no_such_module"})
    words = ["doctor", "--root", str(tmp_path)]
    output = CliRunner().invoke(app, words, env={"COLUMNS": "200"}).stdout
    assert 'pip install "auglift[ray]"' in output
