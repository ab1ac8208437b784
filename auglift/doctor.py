"""`auglift doctor`: is this machine ready? Each finding that is not ok comes with its repair.

In: a `DoctorConfig`. Out: a `Diagnosis`, a list of checks; nothing is changed on the machine.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from auglift import __version__
from auglift.config import StageConfig, models_zoo_folder
from auglift.errors import DeviceError

OPENCV_WHEELS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)

# What each extra brings, by the module that proves it is there.
EXTRAS = {
    "export": "onnxscript",
    "slurm": "submitit",
    "ray": "ray",
    "track": "trackers",
    "view": "rerun",
    "c3d": "ezc3d",
    "tensorboard": "tensorboard",
    "h36m": "cdflib",
    "3dhp": "h5py",
}

VERSIONS_THAT_MATTER = (
    "torch",
    "onnxruntime-gpu",
    "onnxruntime",
    "numpy",
    "scipy",
    "opencv-python",
    "av",
    "pyarrow",
)

LOW_SPACE_GB = 2.0

Status = Literal["ok", "note", "broken"]


@dataclass(frozen=True, kw_only=True)
class DoctorConfig(StageConfig):
    """What to examine: the `root`, and the `device` that must work."""


@dataclass(frozen=True)
class Check:
    """One finding; `repair` is the command or step that mends it."""

    name: str
    status: Status
    found: str
    repair: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings of one examination."""

    checks: tuple[Check, ...]

    @property
    def broken(self) -> list[Check]:
        """The findings that keep auglift from working as asked."""
        return [check for check in self.checks if check.status == "broken"]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"ok": not self.broken, "checks": [asdict(check) for check in self.checks]}


def doctor(config: DoctorConfig) -> Diagnosis:
    """Examine Python, packages, devices, folders, extras and engines."""
    return Diagnosis(tuple(_examine(config)))


def versions() -> dict[str, str]:
    """Installed versions of what auglift stands on, without importing it."""
    found = {"auglift": __version__, "python": platform.python_version()}
    for name in VERSIONS_THAT_MATTER:
        version = _version(name)
        if version is not None:
            found[name] = version
    return found


def _examine(config: DoctorConfig) -> Iterator[Check]:
    yield _check_python()
    yield _check_onnxruntime()
    yield _check_one_wheel("OpenCV", _installed(OPENCV_WHEELS), "opencv-python")
    yield from _check_imports()
    yield from _check_devices(config.device)
    yield _check_folder("workspace", config.root)
    yield _check_folder("cache", _cache_folder())
    yield _check_cards()
    yield _check_video()
    yield from _check_extras()
    yield from _check_engines()


def _check_python() -> Check:
    found = f"{platform.python_version()} at {sys.executable}"
    return Check("Python", "ok", found)


def _check_onnxruntime() -> Check:
    from auglift.storage.onnx_providers import onnxruntime_distributions

    wanted = "onnxruntime-gpu" if _gpu_wheel_exists() else "onnxruntime"
    return _check_one_wheel("ONNX Runtime", onnxruntime_distributions(), wanted)


def _check_one_wheel(name: str, installed: list[str], wanted: str) -> Check:
    """Several wheels of one library share a folder and overwrite each other's files."""
    found = ", ".join(f"{wheel} {_version(wheel)}" for wheel in installed) or "not installed"
    if len(installed) == 1:
        return Check(name, "ok", found)
    repair = f"pip install --force-reinstall --no-deps {wanted}"
    if installed:
        repair = f"pip uninstall -y {' '.join(installed)} && {repair}"
    return Check(name, "broken", found, repair)


def _check_imports() -> Iterator[Check]:
    for module in ("torch", "onnxruntime", "cv2", "av", "pyarrow"):
        try:
            importlib.import_module(module)
        except Exception as error:  # a broken wheel may raise anything
            yield Check(
                f"import {module}", "broken", f"{type(error).__name__}: {error}",
                "reinstall in a new virtual environment: pip install auglift",
            )  # fmt: skip


def _check_devices(wanted: str) -> Iterator[Check]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Check(
        "CPU", "ok", f"{cores} cores, {_memory_gb():.0f} GB, {platform.processor()}".rstrip(", ")
    )
    for i in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(i)
        yield Check(f"cuda:{i}", "ok", f"{device.name}, {device.total_memory / 1e9:.0f} GB")
    if torch.backends.mps.is_available():
        yield Check("mps", "ok", "Apple GPU (training and lifting; detection runs on the CPU)")
    elif wanted == "mps":
        yield Check("mps", "broken", "asked for, not available", "use --device cpu")
    yield from _check_cuda(wanted, torch.cuda.is_available())


def _check_cuda(wanted: str, torch_has_cuda: bool) -> Iterator[Check]:
    """CUDA must bind in both libraries; where nobody asked for it, its absence is a note."""
    from auglift.storage.onnx_providers import try_cuda

    asked = wanted.startswith("cuda")
    absent: Status = "broken" if asked else "note"
    if torch_has_cuda:
        yield Check("CUDA in torch", "ok", "binds")
    else:
        yield Check(
            "CUDA in torch", absent, "no CUDA device or a CPU build of torch",
            "install a CUDA build of torch (pytorch.org) and an NVIDIA driver" if asked else "",
        )  # fmt: skip
    try:
        reason = try_cuda()
    except DeviceError as error:
        reason = error.what
    if reason is None:
        yield Check("CUDA in ONNX Runtime", "ok", "binds")
    else:
        yield Check(
            "CUDA in ONNX Runtime", absent, reason,
            "the CUDA majors of driver, torch and onnxruntime-gpu must agree" if asked else "",
        )  # fmt: skip


def _check_folder(name: str, folder: Path) -> Check:
    folder = folder.expanduser().absolute()
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Check(name, "broken", f"{folder}: {error.strerror}", f"chmod u+w {existing}")
    free_gb = shutil.disk_usage(existing).free / 1e9
    found = f"{folder}, {free_gb:.0f} GB free"
    if free_gb < LOW_SPACE_GB:
        return Check(name, "broken", found, "free some space, or choose another folder")
    return Check(name, "ok", found)


def _check_cards() -> Check:
    from auglift.storage.zoo import load_cards

    return Check("model cards", "ok", f"{len(load_cards())} in {models_zoo_folder()}")


def _check_video() -> Check:
    import av

    missing = {"libx264", "ffv1"} - av.codecs_available
    if missing:
        found = f"PyAV {av.__version__} without {', '.join(sorted(missing))}"
        return Check("video", "broken", found, "pip install --force-reinstall av")
    return Check("video", "ok", f"PyAV {av.__version__} with H.264 and FFV1")


def _check_extras() -> Iterator[Check]:
    for extra, module in EXTRAS.items():
        if importlib.util.find_spec(module) is not None:
            yield Check(f"extra {extra}", "ok", module)
        else:
            yield Check(f"extra {extra}", "note", "absent", f'pip install "auglift[{extra}]"')
    if importlib.util.find_spec("rtmlib") is None:
        yield Check("rtmlib", "note", "absent", "pip install --no-deps rtmlib tqdm")
    else:
        yield Check("rtmlib", "ok", f"{_version('rtmlib')}, beside us")


def _check_engines() -> Iterator[Check]:
    """What `--executor` can share work out to; whoever has one machine needs none of them."""
    import torch

    from auglift.executors.engines import ray_engine, slurm_engine, torchrun_engine

    for engine in (slurm_engine(), ray_engine(), torchrun_engine(torch.cuda.device_count())):
        yield Check(engine.name, "ok" if engine.usable else "note", engine.found, engine.repair)


def _cache_folder() -> Path:
    from auglift.storage.zoo import cache_folder

    return cache_folder()


def _gpu_wheel_exists() -> bool:
    return sys.platform in ("linux", "win32") and platform.machine() in ("x86_64", "AMD64")


def _installed(wheels: tuple[str, ...]) -> list[str]:
    return [wheel for wheel in wheels if _version(wheel) is not None]


def _version(wheel: str) -> str | None:
    try:
        return importlib.metadata.version(wheel)
    except importlib.metadata.PackageNotFoundError:
        return None


def _memory_gb() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError):  # Windows
        return float("nan")
