"""Batch scripts, submissions and states, with programs that only pretend to be Slurm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from auglift.errors import AugliftError, DataError, MissingExtraError, SetupError, UsageError
from auglift.executors import slurm_task
from auglift.executors.slurm import Batch, script, statuses, submit
from auglift.executors.slurm_queue import Queued, read_queue
from auglift.executors.slurm_task import SlurmTask
from auglift.executors.task_files import State, TaskFiles, Word

Pretend = Callable[..., None]


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Puts programs on the path, and nothing else, that do what these lines of a shell say."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def pretend(**programs: str) -> None:
        for name, line in programs.items():
            (folder / name).write_text(f"#!/bin/sh\n{line}\n")
            (folder / name).chmod(0o755)

    return pretend


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch("test", tmp_path / "a folder", {"partition": "gpu", "exclusive": True})


def submitted(pretend: Pretend, batch: Batch, *names: str) -> None:
    pretend(
        sbatch='[ "$1" = --version ] && echo slurm 24.05 || echo Submitted batch job 7',
        srun="",
        squeue="",
        scontrol="exit 1",
    )
    submit(batch, len, {name: "" for name in names})


# --- the script


def test_the_script_asks_for_what_was_asked_for(batch: Batch) -> None:
    text = script(batch, 20)
    for line in (
        "#SBATCH --partition=gpu", "#SBATCH --exclusive", "#SBATCH --requeue",
        "#SBATCH --array=0-19%20", "#SBATCH --signal=USR2@90", "#SBATCH --open-mode=append",
        "#SBATCH --job-name=test", "#SBATCH --nodes=1",
    ):  # fmt: skip
        assert line in text.splitlines()
    assert "--time" not in text  # the partition's own limit, not submitit's five minutes
    assert "--wckey" not in text
    assert f"'{batch.folder}/jobs'" in text


def test_srun_is_told_the_cpus_again(tmp_path: Path) -> None:
    text = script(Batch("test", tmp_path, {"cpus-per-task": "12"}, nodes=2), 1)
    assert "#SBATCH --nodes=2" in text
    assert "--array" not in text
    [command] = [line for line in text.splitlines() if line.startswith("srun ")]
    assert "--cpus-per-task=12" in command
    assert "--kill-on-bad-exit=1" in command


def test_a_shell_accepts_the_script(batch: Batch, tmp_path: Path) -> None:
    (tmp_path / "script.sh").write_text(script(batch, 2))
    subprocess.run(["bash", "-n", tmp_path / "script.sh"], check=True)


def test_without_submitit_the_extra_is_named(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(MissingExtraError, match="submitit") as caught:
        script(batch, 1)
    assert 'pip install "auglift[slurm]"' in str(caught.value)


# --- submissions


def test_tasks_are_remembered_with_their_jobs_and_logs(pretend: Pretend, batch: Batch) -> None:
    submitted(pretend, batch, "1/2", "2/2")
    first, second = statuses(batch.folder)
    assert (first.name, first.job, second.job) == ("1/2", "7_0", "7_1")
    assert first.log == f"{batch.folder}/jobs/7_0_0_log.out"


def test_a_refused_job_and_a_machine_without_slurm(pretend: Pretend, batch: Batch) -> None:
    with pytest.raises(SetupError, match="no Slurm here"):
        submit(batch, len, {"a": ""})
    assert statuses(batch.folder) == []
    pretend(
        sbatch='[ "$1" = --version ] && echo slurm 24.05 || '
        "{ echo 'sbatch: error: invalid partition' >&2; exit 1; }",
        srun="",
    )
    with pytest.raises(SetupError, match="invalid partition"):
        submit(batch, len, {"a": ""})
    assert statuses(batch.folder) == []


# --- states


def test_the_queue_is_read() -> None:
    assert read_queue("7_0|RUNNING|n1|None\n7_1|PENDING||(Resources, or so)|\nnonsense\n") == {
        "7_0": Queued("RUNNING", "n1", ""),
        "7_1": Queued("PENDING", "", "(Resources, or so)|"),
    }


@pytest.mark.parametrize(
    ("queue", "said", "fate", "state", "why"),
    [
        ("PENDING||Priority", None, "", "pending", "Priority"),
        ("PENDING||None", None, "", "pending", ""),
        ("RUNNING|n1|None", None, "", "running", ""),
        ("RUNNING|n1|None", "running", "", "running", ""),
        ("COMPLETING|n1|None", "running", "", "pending", "completing"),
        # Its last word counts more than a process that has not gone yet …
        ("RUNNING|n1|None", "done", "", "done", ""),
        ("COMPLETING|n1|None", "failed", "", "failed", "broken"),
        # … but not if it is to be done again,
        ("PENDING||BeginTime", "done", "", "pending", "BeginTime"),
        ("PENDING||BeginTime", "again", "", "pending", "BeginTime"),
        # and one that Slurm stops may be on its way back into the queue.
        ("COMPLETING|n1|None", "stopped", "", "pending", "completing"),
        ("", "stopped", "", "stopped", "by SIGTERM"),
        ("", "done", "", "done", ""),
        ("", "running", "JobState=OUT_OF_MEMORY", "lost", "out of memory"),
        ("", "running", "JobState=COMPLETED", "done", ""),
        ("", None, "JobState=CANCELLED", "lost", "cancelled"),
        ("", "again", "", "lost", "left the queue without a word"),
    ],
)
def test_states(
    pretend: Pretend,
    batch: Batch,
    queue: str,
    said: State | None,
    fate: str,
    state: str,
    why: str,
) -> None:
    submitted(pretend, batch, "only")
    pretend(
        squeue=f"echo '7|{queue}'" if queue else "echo Invalid job id specified >&2; exit 1",
        scontrol=f"echo JobId=7 {fate} Reason=None" if fate else "exit 1",
    )
    if said is not None:
        failures = ("broken",) if said == "failed" else ()
        stopped = "by SIGTERM" if said == "stopped" else ""
        word = Word(said, "7", "n1", failures, stopped, 0.0)
        TaskFiles(batch.folder, "only").write(word)
    [task] = statuses(batch.folder)
    assert (task.state, task.why) == (state, why)
    assert task.ended == (state in ("done", "failed", "stopped", "lost"))


def test_words_of_an_earlier_job_are_not_this_ones(pretend: Pretend, batch: Batch) -> None:
    submitted(pretend, batch, "only")
    word = Word("failed", "6", "n1", ("broken",), "", 0.0)
    TaskFiles(batch.folder, "only").write(word)
    pretend(squeue="echo '7|RUNNING|n2|None'")
    [task] = statuses(batch.folder)
    assert (task.state, task.failures, task.node) == ("running", (), "n2")


def test_a_queue_that_does_not_answer_leaves_it_open(pretend: Pretend, batch: Batch) -> None:
    submitted(pretend, batch, "1/2", "2/2")
    TaskFiles(batch.folder, "2/2").write(Word("done", "7_1", "n1", (), "", 0.0))
    pretend(squeue="echo no controller >&2; exit 1")
    assert [task.state for task in statuses(batch.folder)] == ["unknown", "done"]
    assert [task.ended for task in statuses(batch.folder)] == [False, True]


# --- inside a job


@pytest.fixture
def in_a_job(
    tmp_path: Path, pretend: Pretend, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Word | None]:
    """Runs a task in job 7_3, whose work ends as told; what it says in the end."""
    for name, value in {"ARRAY_JOB_ID": "7", "ARRAY_TASK_ID": "3", "PROCID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    pretend(scontrol=f'echo "$@" >> {tmp_path}/asked')
    files = TaskFiles(tmp_path, "a")

    def run(ends: Callable[[], BaseException | None]) -> Word | None:
        monkeypatch.setattr(slurm_task, "_run_apart", lambda function, item: ends())
        exit_code: object = 0
        try:
            SlurmTask(len, "", files.name, files.folder)()
        except SystemExit as end:
            exit_code = end.code
        finally:
            for number in (signal.SIGTERM, signal.SIGUSR2):
                signal.signal(number, signal.SIG_DFL)
        word = files.read(Word)
        # Slurm is to see whether it has succeeded.
        assert (exit_code == 0) == (word is None or word.state == "done")
        return word

    return run


def requeued(tmp_path: Path) -> int:
    asked = tmp_path / "asked"
    return asked.read_text().count("requeue 7_3") if asked.exists() else 0


def tell(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def test_the_third_failure_is_the_last(in_a_job: Callable[..., Word], tmp_path: Path) -> None:
    for attempt in (1, 2):
        word = in_a_job(lambda: DataError(f"no {attempt}"))  # noqa: B023
        assert word.state == "again"
        assert requeued(tmp_path) == attempt
        # What happens in between is no failure.
        assert in_a_job(tell(signal.SIGUSR2)).failures == word.failures
        (tmp_path / "asked").write_text("requeue 7_3\n" * attempt)
    word = in_a_job(lambda: ValueError("no\n3"))
    assert (word.state, word.failures) == ("failed", ("no 1", "no 2", "ValueError: no 3"))
    assert requeued(tmp_path) == 2


def test_success_and_what_no_repetition_mends(
    in_a_job: Callable[..., Word], tmp_path: Path
) -> None:
    assert in_a_job(lambda: None).state == "done"
    assert in_a_job(lambda: UsageError("no such variant")).state == "failed"
    assert requeued(tmp_path) == 0


def test_signals(in_a_job: Callable[..., Word], tmp_path: Path, pretend: Pretend) -> None:
    word = in_a_job(tell(signal.SIGTERM))
    assert (word.state, word.why, requeued(tmp_path)) == ("stopped", "by SIGTERM", 0)
    word = in_a_job(tell(signal.SIGUSR2))
    assert (word.state, requeued(tmp_path)) == ("again", 1)
    pretend(scontrol=f'echo "$@" >> {tmp_path}/asked; echo JobId=7 PreemptTime=2026-01-01T00:00')
    word = in_a_job(tell(signal.SIGTERM))
    assert (word.state, requeued(tmp_path)) == ("again", 2)
    pretend(scontrol="echo requeue is disabled >&2; exit 1")
    assert in_a_job(tell(signal.SIGUSR2)).state == "stopped"
    assert in_a_job(lambda: AugliftError("no")).state == "failed"


def test_of_several_nodes_the_first_speaks_but_each_of_its_failures(
    in_a_job: Callable[..., Word | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert in_a_job(lambda: None) is None
    word = in_a_job(lambda: AugliftError("node 1 burns"))
    assert word is not None
    assert word.failures == ("node 1 burns",)
