"""Row numbers → windows → what one step learns from: augmented, as input, answer and mask.

Three tasks share it. `2d3d` lifts detections. `2d2d` gets a detector's places back from ones of
which some are hidden and all are shaken, and `3d3d` the same for true poses: pre-training that
needs no 3D poses, or no detections (MotionBERT's, and the unsupervised stage of others).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from auglift.geometry.skeleton import Skeleton, get_skeleton
from auglift.lifting.augment import Dice, move_camera, spoil_depth, spoil_joints
from auglift.lifting.constants import constant, indices
from auglift.lifting.data import PoseData, onto, window_offsets
from auglift.lifting.detected import seen_joints
from auglift.lifting.features import Columns, flip, make_features, make_targets
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.recipe import Recipe
from auglift.lifting.spec import LifterSpec
from auglift.lifting.targets import encode_poses, with_root

POSE_CHANNELS = 3


@dataclass(frozen=True)
class Windows:
    """Samples as the table holds them, on the device."""

    columns: dict[str, Tensor]
    """(B, T, …) of whole windows."""
    answers: dict[str, Tensor]
    """(B, T', …) of the frames that are answered for."""


@dataclass(frozen=True)
class Batch:
    """What a step learns from."""

    features: Tensor
    """(B, T, J, C) the network's input."""
    targets: Tensor
    """(B, T', J, D) the right answer, 0 where it is unknown."""
    mask: Tensor
    """(B, T', J) 1 where it is known, else 0."""
    confidence: Tensor
    """(B, T', J) the detector's."""


def task_channels(spec: LifterSpec, task: str) -> tuple[int, int]:
    """Numbers per joint that go into the network and come out of it."""
    if task == "3d3d":
        return POSE_CHANNELS, 3
    return len(spec.features.channels), 2 if task == "2d2d" else 3


class BatchMaker:
    """Makes the batches of one task, of any tables' windows."""

    def __init__(self, spec: LifterSpec, recipe: Recipe, model: LifterModel, device: str) -> None:
        self.spec, self.recipe = spec, recipe
        self.device = torch.device(device)
        self.skeleton = get_skeleton(spec.skeleton)
        self.offsets = tuple(window_offsets(model.receptive_field, model.causal).tolist())
        self.whole_clips = model.sequence
        centre = len(self.offsets) - 1 if model.causal else len(self.offsets) // 2
        self.answered = slice(None) if model.sequence else slice(centre, centre + 1)
        self.window_names, self.answer_names = self._names()

    def gather(self, data: PoseData, rows: Tensor) -> Windows:
        """Windows about `rows` of a table, which are where it is."""
        offsets = constant(self.offsets, data.device, torch.float32)
        columns = self._gather(data, rows, offsets, self.window_names)
        # What only the answer needs is not fetched for the rest of a window.
        answers = self._gather(data, rows, offsets[self.answered], self.answer_names)
        if self.whole_clips:
            answers |= onto({"inside": data.inside(rows, offsets, self.spec.fps)}, self.device)
        return Windows(columns, answers)

    def make(
        self, windows: Windows, dice: Dice, mirrored: bool = False, augment: bool = True
    ) -> Batch:
        """The batch that these windows are."""
        if mirrored:
            windows = self._mirrored(windows)
        columns, answers = windows.columns, windows.answers
        if augment and self.recipe.augment.moves_camera:
            columns = move_camera(columns, self.recipe.augment, dice)
        if self.recipe.task == "3d3d":
            return self._pose_batch(columns, answers, dice)
        clean = columns
        if augment:
            columns = self._spoilt(columns, dice)
        if self.recipe.task == "2d2d":
            return self._place_batch(clean, columns, answers, dice)
        return self._lifting_batch(columns, answers)

    def _gather(
        self, data: PoseData, rows: Tensor, offsets: Tensor, names: frozenset[str]
    ) -> dict[str, Tensor]:
        return onto(data.windows(rows, offsets, self.spec.fps, names), self.device)

    def _mirrored(self, windows: Windows) -> Windows:
        # Whole clips have their answers among the columns.
        answers = flip(windows.answers, self.skeleton) if self.answer_names else windows.answers
        return Windows(flip(windows.columns, self.skeleton), answers)

    def _spoilt(self, columns: dict[str, Tensor], dice: Dice) -> dict[str, Tensor]:
        config = self.recipe.augment
        # `true` and `constant` depth are controls: errors would make them something else.
        measured = self.spec.data.get("depth", "measured") in ("measured", "shuffled")
        if config.spoils_depth and "depth_m" in columns and measured:
            columns = spoil_depth(columns, config, dice, self.skeleton)
        return spoil_joints(columns, config, dice) if config.spoils_joints else columns

    def _lifting_batch(self, columns: Columns, answers: Columns) -> Batch:
        answered = self._answered(columns, answers)
        # A root that is not put out counts as one that is right, so that bones begin somewhere.
        targets = with_root(encode_poses(answered["pose_3d"], self.spec, answered), self.spec)
        known = known_joints(answered, self.skeleton)
        return self._batch(self._features(columns), targets, known, answered)

    def _place_batch(self, clean: Columns, spoilt: Columns, answers: Columns, dice: Dice) -> Batch:
        """Places from hidden and shaken places; nothing else about a hidden joint is told."""
        answered = self._answered(clean, answers)
        targets = self._features(clean)[:, self.answered, :, :2]
        features = self._features(spoilt)
        shaken = features[..., :2] + self.recipe.mask.noise * dice.normal(*features.shape[1:3], 2)
        features = torch.cat([shaken, features[..., 2:]], dim=-1)
        empty = self._features({**spoilt, "detected": torch.zeros_like(spoilt["detected"])})
        features = torch.where(self._hidden(features, dice)[..., None], empty, features)
        return self._batch(features, targets, seen_joints(answered), answered)

    def _pose_batch(self, columns: Columns, answers: Columns, dice: Dice) -> Batch:
        """Poses from hidden and shaken poses."""
        answered = self._answered(columns, answers)
        poses = make_targets(columns["pose_3d"], self.skeleton)
        known = known_joints(columns, self.skeleton)
        shaken = poses + self.recipe.mask.noise_m * dice.normal(*poses.shape[1:])
        hidden = self._hidden(poses, dice) | ~known
        features = torch.where(hidden[..., None], 0.0, shaken)
        return self._batch(features, poses[:, self.answered], known[:, self.answered], answered)

    def _answered(self, columns: Columns, answers: Columns) -> dict[str, Tensor]:
        """The columns of the frames that are answered for."""
        return {**answers, **{name: c[:, self.answered] for name, c in columns.items()}}

    def _hidden(self, features: Tensor, dice: Dice) -> Tensor:
        """(B, T, J) what the mask hides; single frames are never hidden as a whole."""
        _, n_frames, n_joints = features.shape[:3]
        joints = dice.lucky(self.recipe.mask.joints, n_frames, n_joints)
        if n_frames == 1:
            return joints
        return joints | dice.lucky(self.recipe.mask.frames, n_frames, 1)

    def _features(self, columns: Columns) -> Tensor:
        spec = self.spec
        return make_features(columns, spec.features, self.skeleton, spec.mean_box_size)

    def _batch(self, features: Tensor, targets: Tensor, known: Tensor, answered: Columns) -> Batch:
        if self.whole_clips:  # a clip's padding and gaps are no frames of their own
            known = known & (answered["inside"] & answered["detected"])[..., None]
        targets = torch.where(known[..., None], targets, 0.0)
        confidence = torch.ones_like(targets[..., 0])
        if "joint_confidence" in answered:
            confidence = answered["joint_confidence"].nan_to_num()
        return Batch(features, targets, known.to(targets.dtype), confidence)

    def _names(self) -> tuple[frozenset[str], frozenset[str]]:
        """The columns of whole windows, and those of the answered frames only."""
        window = {"joints_2d", "detected", "image_wh", *self.spec.features.columns}
        augment = self.recipe.augment
        if augment.moves_camera:
            window |= {"pose_3d", "intrinsics"}
        if (augment.spoils_depth and "depth_m" in window) or self.recipe.task == "3d3d":
            window |= {"pose_3d", "visible"}
        answer = {"pose_3d", "visible", "joint_confidence", *self.spec.target.columns}
        if self.whole_clips:
            return frozenset(window | answer), frozenset()
        # A mirror image needs to know the picture.
        return frozenset(window), frozenset((answer - window) | {"joints_2d", "image_wh"})


def stacked(parts: Sequence[Windows]) -> Windows:
    """Windows of several tables as those of one batch."""
    if len(parts) == 1:
        return parts[0]
    return Windows(*(
        {name: torch.cat([each[name] for each in group]) for name in group[0]}
        for group in ([p.columns for p in parts], [p.answers for p in parts])
    ))  # fmt: skip


def known_joints(columns: Columns, skeleton: Skeleton) -> Tensor:
    """Joints (…, J) whose place from the root is known: both are vouched for and finite."""
    known = columns["pose_3d"].isfinite().all(dim=-1)
    if "visible" in columns:
        known = known & columns["visible"]
    roots = indices(skeleton.indices(*skeleton.root), known.device)
    rooted = known.index_select(-1, roots).all(dim=-1)
    return known & rooted[..., None]


def trainable(columns: Columns, task: str, skeleton: Skeleton) -> Tensor:
    """Rows (N,) with a detection and a truth (of what the task needs); others are context only."""
    useful = torch.ones_like(columns["detected"])
    if task != "3d3d":
        useful = useful & seen_joints(columns).any(dim=-1)
    if task != "2d2d":
        useful = useful & known_joints(columns, skeleton).any(dim=-1)
    return useful
