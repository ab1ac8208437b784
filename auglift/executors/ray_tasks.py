"""Work as tasks of Ray: on the cluster that is there, else on the CPUs and GPUs of this machine.

Ray asks for a task's CPUs and GPUs, waits until a node has them, and begins a task anew on another
node if its own is lost. The nodes must see the same files, and have this package installed.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from auglift.errors import AugliftError, MissingExtraError, SetupError
from auglift.executors.local import Outcome

Item = TypeVar("Item")
Result = TypeVar("Result")

# As many attempts as a task of Slurm has.
RETRIES_OF_LOST_WORKERS = 2

ANSWER_S = 10

# What else a node's processes would not know; an object store's keys may be in it.
PASSED_ON = ("AUGLIFT_", "AWS_", "GOOGLE_APPLICATION_CREDENTIALS")

logger = logging.getLogger(__name__)


def run_on_ray(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    cpus: float = 1,
    gpus: float = 0,
) -> Iterator[Outcome[Item, Result]]:
    """Run `function` on every item, each with so many CPUs and GPUs; outcomes as they finish.

    An item's failure is its outcome, never the end of the others; so is the death of its worker,
    once Ray has tried again in vain. Leaving early (Ctrl-C) cancels what has not finished.
    """
    ray = import_ray()
    with _cluster(ray, cpus, gpus):
        task = ray.remote(
            num_cpus=cpus,
            num_gpus=gpus,
            max_retries=RETRIES_OF_LOST_WORKERS,
            max_calls=1,  # a process of its own: what it held of a GPU is free afterwards
        )(_attempt)
        here = os.getcwd(), _passed_on(os.environ)
        waiting = {task.remote(function, *here, item): item for item in items}
        try:
            while waiting:
                (done,), _ = ray.wait(list(waiting), num_returns=1)
                yield _outcome(ray, done, waiting.pop(done))
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)


def _attempt(
    function: Callable[[Item], Result], folder: str, environment: Mapping[str, str], item: Item
) -> tuple[Result | None, BaseException | None]:
    """In a worker: the result, or the error, of the function in the driver's surroundings."""
    os.chdir(folder)
    os.environ.update(environment)
    try:
        return function(item), None
    except Exception as error:
        return None, error


def import_ray() -> Any:
    """Ray, without its telemetry and its chatter."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Without it Ray tells every user of a change to come.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Its news of lost workers would go to stdout, among the command's results: what is lost for
    # good is an outcome.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("--executor ray needs Ray", extra="ray") from error
    return ray


def _passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(PASSED_ON)}


@contextmanager
def _cluster(ray: Any, cpus: float, gpus: float) -> Iterator[None]:
    """The cluster that this process is in already, else the one that is there, else a new one."""
    if ray.is_initialized():
        yield
        return
    try:
        with _own_sigterm():
            _join(ray)
        _check_resources(ray, cpus, gpus)
        yield
    finally:
        ray.shutdown()


def _join(ray: Any) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            _require_answer(address)
            ray.init(address=address, **quiet)
            return
        try:
            ray.init(address="auto", **quiet)
        except ConnectionError:
            ray.init(address="local", include_dashboard=False, **quiet)
            logger.info("no Ray cluster is here: this machine works alone")
    except Exception as error:  # of what kind, depends on what is wrong
        raise SetupError(
            f"the Ray cluster cannot be used: {error}",
            where=address,
            hint="see `ray status` and RAY_ADDRESS; Python and Ray must have the same versions on "
            "all machines",
        ) from error


def _require_answer(address: str) -> None:
    """Raise `OSError` where nobody listens: Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Ray would exit at SIGTERM by itself; here it ends a command as it ends all others."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def _check_resources(ray: Any, cpus: float, gpus: float) -> None:
    """Say so where no node has what a task asks for, since Ray would wait without a word."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        most = " and ".join(
            f"{max((node.get(name, 0) for node in nodes), default=0):g} {name}s"
            for name in ("CPU", "GPU")
        )
        raise SetupError(
            f"no node of the Ray cluster has {cpus:g} CPUs and {gpus:g} GPUs; "
            f"the largest have {most}",
            hint="ask for less: --ray cpus=1,gpus=0; or see `ray status`",
        )


def _outcome(ray: Any, reference: Any, item: Item) -> Outcome[Item, Any]:
    try:
        result, error = ray.get(reference)
    except ray.exceptions.RayError as lost:
        words = str(lost).strip().splitlines()[0]
        error = AugliftError(
            f"the Ray worker of {textwrap.shorten(str(item), 80)} was lost "
            f"{1 + RETRIES_OF_LOST_WORKERS} times: {words}",
            hint="run the same command again to resume; if memory ran out, ask for fewer tasks at "
            "a time: --ray cpus=…",
        )
        return Outcome(item, error=error)
    return Outcome(item, result=result, error=error)
