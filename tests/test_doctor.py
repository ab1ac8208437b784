"""`auglift doctor`: finds what is broken, says the repair, exits with 4."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auglift import doctor as module
from auglift.cli.main import app
from auglift.doctor import Check, DoctorConfig, doctor
from auglift.executors import engines
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


def put_on_the_path(folder: Path, monkeypatch: pytest.MonkeyPatch, **programs: str) -> None:
    """Programs of these names, which do what these lines of a shell say."""
    for name, line in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_engines_are_named_with_what_they_offer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_the_path(
        tmp_path, monkeypatch, sbatch="echo slurm-wlm 22.05.8", sinfo="echo gpu*; echo cpu"
    )
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setattr(engines, "_version", {"submitit": "1.5", "ray": "2.9"}.get)
    checks = by_name(tmp_path)
    found = {name: checks[name].found for name in ("Slurm", "Ray")}
    assert found == {
        "Slurm": "slurm-wlm 22.05.8, partitions gpu*, cpu; submitit 1.5",
        "Ray": "2.9; cluster: 10.0.0.1:6379",
    }
    assert (
        engines.torchrun_engine(8).found == "8 GPUs: torchrun --nproc-per-node 8 -m auglift train"
    )
    monkeypatch.setattr(engines, "_version", {}.get)
    assert engines.slurm_engine().repair == 'pip install "auglift[slurm]"'
    assert engines.ray_engine().found == "not installed"


def test_a_slurm_that_does_not_answer_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_the_path(
        tmp_path, monkeypatch, sbatch="echo slurm 24.05", sinfo="echo no controller >&2; exit 1"
    )
    check = by_name(tmp_path)["Slurm"]
    assert (check.status, check.found) == ("note", "sinfo failed: no controller")
    assert "scontrol ping" in check.repair
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert by_name(tmp_path)["Slurm"].found == "no sbatch on the path"
