"""A real Slurm of two nodes on this machine: munged, slurmctld and two slurmd, in one folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")

# A requeued job waits for as long as credentials hold: two minutes, and not less than five seconds.
CONFIG = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=1,sched_min_interval=100000
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=5
MinJobAge=300
SlurmctldTimeout=300
SlurmdTimeout=300
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{node_1}-{node_2}] CPUs=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=small Nodes=n[1-2] Default=YES PriorityTier=1 GraceTime=120
PartitionName=urgent Nodes=n[1-2] PriorityTier=2
"""


@pytest.fixture(scope="session")
def slurm_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A running Slurm of two nodes, n1 and n2, of one CPU each: the environment to find it in."""
    reason = _missing()
    if reason is not None:
        pytest.skip(reason)
    with _running_slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def slurm(
    slurm_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    """Asks one of Slurm's commands; afterwards no job is left, and both nodes are up."""
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, slurm_environment[name])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("auglift.cli.task_table.POLL_S", 0.5)

    def ask(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield ask
    subprocess.run(["scancel", "--user=root"], check=True)
    subprocess.run(
        ["scontrol", "update", "nodename=n1,n2", "state=resume"], check=False, capture_output=True
    )


def _missing() -> str | None:
    """Why there can be no Slurm here."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    absent = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if absent:
        return f"no {', '.join(absent)} (Debian: slurm-wlm, munge)"
    return None if os.getuid() == 0 else "Slurm's daemons want to be root"


@contextmanager
def _running_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start it, and stop it by its process ids; the environment in which its commands find it."""
    host = socket.gethostname().partition(".")[0]
    port, node_1, node_2 = _free_ports()
    config = folder / "slurm.conf"
    config.write_text(
        CONFIG.format(host=host, folder=folder, port=port, node_1=node_1, node_2=node_2)
    )
    (folder / "state").mkdir()
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("SLURM_")},
        "PATH": f"{os.environ['PATH']}:/usr/sbin",
        "SLURM_CONF": str(config),
    }
    with ExitStack() as stack:
        stack.enter_context(_munged(folder, environment))
        for program in (["slurmctld"], ["slurmd", "-N", "n1"], ["slurmd", "-N", "n2"]):
            log = folder / f"{'-'.join(program)}.out"
            stack.enter_context(_daemon([*program, "-D"], environment, log))
        _wait_for(lambda: _idle_nodes(environment) == 2, "two idle nodes", folder)
        yield environment


@contextmanager
def _munged(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """With a key and a socket of its own, so that no other munged is in the way."""
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    command = [
        "munged", "--foreground", "--force",
        f"--key-file={key}", f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid",
        f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed",
    ]  # fmt: skip
    with _daemon(command, environment, folder / "munged.out"):
        _wait_for((folder / "munge.socket").exists, "munge's socket", folder)
        yield


@contextmanager
def _daemon(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _idle_nodes(environment: dict[str, str]) -> int:
    command = ["sinfo", "--noheader", "--Node", "--states=idle", "--format=%N %t"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return len({line for line in done.stdout.splitlines() if line.endswith(" idle")})


def _wait_for(holds: Callable[[], object], what: str, folder: Path, most_s: float = 40) -> None:
    end = time.monotonic() + most_s
    while not holds():
        if time.monotonic() > end:
            logs = [
                f"{p.name}: {p.read_text(errors='replace')[-800:]}" for p in folder.glob("*.log")
            ]
            raise TimeoutError(f"{what} did not come\n" + "\n".join(logs))
        time.sleep(0.2)


def _free_ports() -> tuple[int, int, int]:
    """One for the controller and two neighbours for the nodes."""
    for first in range(17001, 17999, 2):
        with ExitStack() as stack:
            try:
                for port in (first, first + 1, first + 2000):
                    one = stack.enter_context(socket.socket())
                    one.bind(("127.0.0.1", port))
            except OSError:
                continue
        return first + 2000, first, first + 1
    raise OSError("no free ports for Slurm")
