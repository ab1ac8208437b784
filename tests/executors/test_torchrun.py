"""How torchrun is started inside a Slurm job, and whose error it ends with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auglift.errors import AugliftError
from auglift.executors.torchrun import UnderTorchrun, torchrun_command


@pytest.fixture
def in_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the second of two nodes, of which the first is called n7 and has another address."""
    (tmp_path / "scontrol").write_text(
        '#!/bin/sh\n[ "$2" = hostnames ] && printf "n7\\nn8\\n" || echo "NodeName=n7 $ADDRESS"\n'
    )
    (tmp_path / "scontrol").chmod(0o755)
    job = {"JOB_ID": "12345", "JOB_NODELIST": "n[7-8]", "JOB_NUM_NODES": "2", "NODEID": "1"}
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("ADDRESS", "NodeAddr=10.0.0.7 NodeHostName=n7")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_all_nodes_meet_at_the_first(in_a_job: None, monkeypatch: pytest.MonkeyPatch) -> None:
    words = torchrun_command(Path("work.pickle"), 8, os.environ)
    assert words[3:8] == [
        "--nnodes=2",
        "--node-rank=1",
        "--nproc-per-node=8",
        "--master-addr=10.0.0.7",
        "--master-port=22345",
    ]
    monkeypatch.setenv("ADDRESS", "State=IDLE")
    assert "--master-addr=n7" in torchrun_command(Path("work.pickle"), 8, os.environ)


def fail_in_one(item: str) -> None:
    if os.environ["RANK"] == "1":
        raise ValueError(f"no {item}")


@pytest.mark.slow
def test_the_error_of_one_process_is_the_error(
    in_a_job: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"JOB_NUM_NODES": "1", "NODEID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("ADDRESS", "NodeAddr=127.0.0.1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with pytest.raises(AugliftError, match="ValueError: no luck"):
        UnderTorchrun(fail_in_one, processes=2)("luck")
    assert "Traceback" in capfd.readouterr().err
