"""A trained lifter in use: detected columns of any number of tracks → 3D poses.

`Lifter.lift` is what `evaluate`, `infer`, validation in `train` and notebooks call; `Lifter.live`
is for frames that come one by one. Both turn columns into features and the network's answers into
poses here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from auglift.errors import ModelError, unknown_name
from auglift.geometry.skeleton import Skeleton, get_skeleton
from auglift.lifting.checkpoint import load_lifter
from auglift.lifting.data import PoseData, onto
from auglift.lifting.devices import pick_device
from auglift.lifting.engine import (
    Batch,
    Size,
    clip_batches,
    require_whole_ratios,
    stream_schedules,
    window_batches,
)
from auglift.lifting.features import flip, make_features, mirror_poses
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.precision import Precision, usable_precision
from auglift.lifting.spec import LifterSpec
from auglift.lifting.stream import LiftStream
from auglift.lifting.targets import restore_poses
from auglift.storage.workspace import Workspace

Columns = Mapping[str, Tensor]
MODES = ("auto", "clip", "window", "stream")


class Lifter:
    """A model and the spec that says how to feed it."""

    def __init__(
        self, model: LifterModel, spec: LifterSpec, device: str = "cpu", precision: str = "fp32"
    ) -> None:
        """`precision` bf16 or fp16 takes effect where the device gains by it; the log says so."""
        self.model: LifterModel = model.to(device).eval()
        self.spec = spec
        self.device = device
        self.skeleton: Skeleton = get_skeleton(spec.skeleton)
        self.precision = Precision(usable_precision(precision, device), device)

    @classmethod
    def open(cls, path: Path, device: str = "cpu", precision: str = "fp32") -> Lifter:
        """Read a checkpoint written by `auglift train`."""
        model, spec = load_lifter(path, device)
        return cls(model, spec, device, precision)

    @classmethod
    def from_zoo(
        cls,
        name: str | None = None,
        device: str = "auto",
        root: Path | str = ".",
        *,
        has_depth: bool = False,
        has_confidence: bool = True,
        one_frame: bool = False,
    ) -> Lifter:
        """A lifter by name: a run below `root`, its folder, a checkpoint, or a card of the zoo.

        Without a name it is the one that `auglift infer` would take for what there is: joints with
        confidences of a clip, unless something else is said.
        """
        from auglift.lifting.choice import find_lifter, open_lifter  # which open lifters themselves

        workspace, device = Workspace(Path(root)), pick_device(device)
        if name is not None:
            return cls.open(find_lifter(workspace, name), device)
        return open_lifter(
            workspace,
            None,
            has_depth=has_depth,
            has_confidence=has_confidence,
            one_frame=one_frame,
            device=device,
        ).lifter

    def __repr__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in self._facts().items())
        return f"Lifter({facts})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:left'>{escape(value)}</td></tr>"
            for name, value in self._facts().items()
        )
        return f"<table><caption>auglift lifter</caption>{rows}</table>"

    def lift(
        self,
        detections: PoseData | Mapping[str, npt.NDArray[Any]] | npt.ArrayLike,
        batch_size: int | None = None,
        flip_test: bool = False,
        mode: str = "auto",
        overlap: bool = True,
        *,
        image_wh: tuple[int, int] | None = None,
        fps: float | None = None,
        skeleton: str | None = None,
    ) -> npt.NDArray[np.float32]:
        """Root-relative poses (N, J, 3), camera axes: one for every row of `detections`.

        They are metres, unless `spec.target.metric` says that they cannot be.

        `detections` are the columns of a table by name, or one person's joints (T, J, 2) in pixels
        or (T, J, 3) with confidences; or rows that are tensors already. Arrays do not say how large
        their pictures are (`image_wh`), how fast they follow each other (`fps`, by default the
        lifter's own rate) and which joints they have (`skeleton`, by default the lifter's own).
        `lifting/arrays.py` has the rest. Rows where nobody was seen have NaN for a pose.

        `auto` and `clip` share the work of neighbouring rows, wherever the frame rate allows;
        where it does not, `clip` is an error. `window` gives every row its own window: the same
        poses, slowly. `stream` knows nothing of the rows behind, as a live camera. `batch_size` is
        the number of poses in one pass, by default what suits the device. Without `overlap`,
        sequence lifters answer for clips side by side, as their authors evaluate them.
        """
        if not isinstance(detections, PoseData):
            from auglift.lifting.arrays import About, lift_arrays  # which need lifters themselves

            lift = partial(
                self.lift, batch_size=batch_size, flip_test=flip_test, mode=mode, overlap=overlap
            )
            return lift_arrays(self, detections, About(image_wh, fps, skeleton), lift)
        data = detections
        poses = torch.full((len(data), self.skeleton.n_joints, 3), torch.nan)
        size = Size.of(self.model, self.skeleton.n_joints, self.device, batch_size)
        for rows, lifted in self._answers(data, size, flip_test, mode, overlap):
            poses[rows] = lifted
        if not bool(poses.isfinite().all()):
            raise ModelError("the lifter put out values that are not finite", where=self.spec.arch)
        answer: npt.NDArray[np.float32] = poses.numpy()
        return answer

    def live(self, n_people: int, *, every: float = 1, flip_test: bool = False) -> LiveLifter:
        """For frames that come one by one, at `every` times the lifter's own rate."""
        return LiveLifter(self, n_people, every, flip_test)

    def features(self, columns: Columns) -> Tensor:
        """The network's input (…, J, C)."""
        spec = self.spec
        return make_features(columns, spec.features, self.skeleton, spec.mean_box_size)

    def restore(self, output: Tensor, columns: Columns) -> Tensor:
        """The network's output → poses; `columns` are those of the frames that they are of."""
        return restore_poses(output, self.spec, columns)

    def _facts(self) -> dict[str, str]:
        """What it is, what it looks at and what it gives, in words."""
        spec, field = self.spec, self.model.receptive_field
        n_parameters = sum(p.numel() for p in self.model.parameters())
        return {
            "architecture": f"{spec.arch}, {n_parameters / 1e6:.1f} M parameters",
            "input": f"{spec.features.variant} of {field} frame(s) at {spec.fps:g} Hz",
            "output": f"{self.skeleton.name}, {'metres' if spec.target.metric else 'no metres'}",
            "trained on": ", ".join(name for name, *_ in spec.data.get("tables", ())) or "unknown",
            "device": f"{self.device}, {self.precision.kind}",
        }

    def _answers(
        self, data: PoseData, size: Size, flip_test: bool, mode: str, overlap: bool
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Row numbers (n,) and their poses (n, J, 3), on the host, until every row had its own."""
        if mode == "stream":
            yield from self._stream(data, size, flip_test)
            return
        for batch in self._batches(data, size, mode, overlap):
            poses = self._lift_rows(data, batch.rows, flip_test).cpu()
            answers = batch.answers.cpu()
            wanted = answers >= 0
            yield answers[wanted], poses[wanted]

    def _batches(self, data: PoseData, size: Size, mode: str, overlap: bool) -> Iterator[Batch]:
        fps = self.spec.fps
        if mode == "window":
            return window_batches(data, self.model, fps, size)
        if mode not in MODES:
            raise unknown_name("mode of lifting", mode, MODES)
        if mode == "clip" and not self.model.sequence:
            require_whole_ratios(data, self.model, fps)
        return clip_batches(data, self.model, fps, size, overlap)

    @torch.inference_mode()
    def _lift_rows(self, data: PoseData, rows: Tensor, flip_test: bool) -> Tensor:
        """Rows (B, T) → poses (B, T', J, 3)."""
        columns = self._columns(data, rows)
        poses = self._lift_columns(columns)
        if flip_test:
            mirrored = self._lift_columns(flip(columns, self.skeleton))
            poses = (poses + mirror_poses(mirrored, self.skeleton)) / 2.0
        return poses

    def _lift_columns(self, columns: Columns) -> Tensor:
        features = self.features(columns)
        with self.precision.reckoning():
            output: Tensor = self.model(features)
        before = 0
        if not self.model.sequence:
            field = self.model.receptive_field
            before = field - 1 if self.model.causal else field // 2
        answered = slice(before, before + output.shape[1])
        return self.restore(output.float(), {name: c[:, answered] for name, c in columns.items()})

    def _columns(self, data: PoseData, rows: Tensor) -> dict[str, Tensor]:
        """What a lift reads of these rows, on the device; cameras may be unknown."""
        there = [name for name in self.spec.columns if name in data.columns]
        columns = {name: data.columns[name][rows.to(data.device)] for name in there}
        return onto(columns, torch.device(self.device))

    def _stream(
        self, data: PoseData, size: Size, flip_test: bool
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """All tracks as if they were seen live, several at a time."""
        for schedule in stream_schedules(data, self.model, self.spec.fps, size.samples):
            live = self.live(schedule.rows.shape[1], every=schedule.every, flip_test=flip_test)
            for rows, begins in zip(schedule.rows, schedule.begins, strict=True):
                if begins.any():
                    live.reset(begins)
                poses = live.step(self._columns(data, rows.clamp(min=0))).cpu()
                yield rows[rows >= 0], poses[rows >= 0]


class LiveLifter:
    """Detected columns of one frame after another → poses, for a fixed number of people.

    Somebody who joins is a `reset` of his row; somebody who is not seen is a row that is not
    `detected`. `stream.py` says what a pose without a future is worth.
    """

    def __init__(self, lifter: Lifter, n_people: int, every: float, flip_test: bool) -> None:
        self.lifter = lifter
        # One for the people, one for their mirror images.
        self.streams = [
            LiftStream(lifter.model, n_people, every=every, precision=lifter.precision.kind)
            for _ in range(2 if flip_test else 1)
        ]

    def reset(self, people: Tensor | Sequence[int]) -> None:
        """These rows (numbers, or a mask) are somebody else from the next frame on."""
        for stream in self.streams:
            stream.reset(people)

    @torch.inference_mode()
    def step(self, columns: Columns) -> Tensor:
        """The columns (P, …) of one frame → root-relative poses (P, J, 3)."""
        poses = self._step(self.streams[0], columns)
        if len(self.streams) == 1:
            return poses
        skeleton = self.lifter.skeleton
        mirrored = self._step(self.streams[1], flip(columns, skeleton))
        return (poses + mirror_poses(mirrored, skeleton)) / 2.0

    def _step(self, stream: LiftStream, columns: Columns) -> Tensor:
        return self.lifter.restore(stream.step(self.lifter.features(columns)), columns)
