"""Pictures → detections: people, their 2D joints, and the depth around them. The only such place.

`detect-depth` and `infer` both call `Detector.detect`. In: RGB uint8 pictures of one source. Out,
per picture: `Detections`, the detections table's columns for everybody in it, best first; nobody
there is zero rows. `Detector.look` gives the depth maps along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from auglift.detection.depth import DepthEstimator, DepthMap
from auglift.detection.features import as_float16, require_pooling
from auglift.detection.people import People
from auglift.detection.poses2d import Poses2d
from auglift.errors import UsageError
from auglift.geometry.descriptor import (
    STATISTICS,
    Discs,
    discs_around,
    radius_px,
    torso_size_px,
)
from auglift.geometry.joint_maps import map_confidence, map_joints
from auglift.geometry.skeleton import Skeleton, get_skeleton

FloatArray = npt.NDArray[np.float32]


class FindsPeople(Protocol):
    """`people.PersonDetector`, or rtmlib's in its place."""

    def detect(self, pictures: Sequence[npt.NDArray[Any]]) -> list[People]:
        """The people in each picture."""


class FindsJoints(Protocol):
    """`poses2d.PoseEstimator2d`, or rtmlib's in its place."""

    skeleton: Skeleton
    n_features: int

    def estimate(
        self, pictures: Sequence[npt.NDArray[Any]], boxes_xyxy: Sequence[npt.NDArray[Any]]
    ) -> list[Poses2d]:
        """The joints in each picture's boxes."""


@dataclass(frozen=True, kw_only=True)
class DescriptorOptions:
    """How a joint's disc is drawn and summarised."""

    radius_rule: str = "code"
    r_min_px: float = 3.0
    r_max_px: float = 30.0
    quantiles: tuple[float, float] = (0.1, 0.9)


@dataclass(frozen=True, eq=False)
class Detections:
    """Everybody in one picture: N people, K keypoints of the detector, J joints."""

    box_xyxy: FloatArray
    """(N, 4) px."""
    box_score: FloatArray
    """(N,)"""
    keypoints_2d: FloatArray
    """(N, K, 2) px, the detector's own."""
    confidence: FloatArray
    """(N, K), the detector's own."""
    joints_2d: FloatArray
    """(N, J, 2) px."""
    joint_confidence: FloatArray
    """(N, J)"""
    depth_m: FloatArray
    """(N, J, 6)"""
    depth_valid: npt.NDArray[np.bool_]
    """(N, J)"""
    radius_px: FloatArray
    """(N, J)"""
    features: npt.NDArray[np.float16] | None = None
    """(N, J, F), where they were asked for."""

    def __len__(self) -> int:
        return len(self.box_score)

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The table's columns by name."""
        return {name: values for name, values in vars(self).items() if values is not None}


class Seen(NamedTuple):
    """Everybody in one picture, and its depth; None where nobody asked for it."""

    detections: Detections
    depth: DepthMap | None


class _Placed(NamedTuple):
    """Everybody's joints in one picture, N people."""

    joints_2d: FloatArray
    """(N, J, 2) px"""
    confidence: FloatArray
    """(N, J)"""
    radius_px: FloatArray
    """(N, J)"""

    def discs(self, picture: npt.NDArray[Any]) -> Discs:
        """Where its depth will be read."""
        height, width = picture.shape[:2]
        return discs_around(self.joints_2d.reshape(-1, 2), self.radius_px.ravel(), (width, height))


class Detector:
    """Three opened networks and one descriptor.

    `features` names the pooling by which the networks' features are read at the joints; they are
    those of the pose network, then those of the depth network (`feature_sizes`).
    """

    def __init__(
        self,
        people: FindsPeople,
        poses: FindsJoints,
        depth: DepthEstimator | None,
        *,
        skeleton: str = "h36m_17",
        descriptor: DescriptorOptions | None = None,
        features: str | None = None,
    ) -> None:
        self.people, self.poses, self.depth = people, poses, depth
        self.skeleton: Skeleton = get_skeleton(skeleton)
        self.descriptor = descriptor or DescriptorOptions()
        self.features = features
        if features is not None:
            require_pooling(features)
            if not self.n_features:
                raise UsageError("no network gives out features", hint="open them with features")

    @property
    def keypoint_skeleton(self) -> Skeleton:
        """The joint set of the 2D network."""
        return self.poses.skeleton

    @property
    def feature_sizes(self) -> tuple[int, int]:
        """How many features come from the pose network and how many from the depth network."""
        if self.features is None:
            return 0, 0
        return self.poses.n_features, self.depth.n_features if self.depth else 0

    @property
    def n_features(self) -> int:
        """F, the sum of `feature_sizes`."""
        return sum(self.feature_sizes)

    def detect(
        self, pictures: Sequence[npt.NDArray[Any]], focal_px: Sequence[Any] | None = None
    ) -> list[Detections]:
        """Everybody in each picture; `focal_px` (fx, fy) is for depth networks that ask for it."""
        return [one.detections for one in self.look(pictures, focal_px, whole_depth=False)]

    def look(
        self,
        pictures: Sequence[npt.NDArray[Any]],
        focal_px: Sequence[Any] | None = None,
        whole_depth: bool = True,
    ) -> list[Seen]:
        """As `detect`, with the depth maps; none is computed for pictures without people.

        Without `whole_depth` a map may hold no more than what the detections were read from.
        """
        people = self.people.detect(pictures)
        poses = self.poses.estimate(pictures, [found.boxes_xyxy for found in people])
        placed = [self._place(pose) for pose in poses]
        peopled = [i for i, found in enumerate(people) if len(found)]
        discs = {i: placed[i].discs(pictures[i]) for i in peopled} if self.depth else {}
        maps = self._depth_maps(pictures, focal_px, peopled, None if whole_depth else discs)
        return [
            Seen(self._describe(found, pose, place, maps.get(i), discs.get(i)), maps.get(i))
            for i, (found, pose, place) in enumerate(zip(people, poses, placed, strict=True))
        ]

    def _depth_maps(
        self,
        pictures: Sequence[npt.NDArray[Any]],
        focal_px: Sequence[Any] | None,
        chosen: list[int],
        only: dict[int, Discs] | None,
    ) -> dict[int, DepthMap]:
        """Of the chosen pictures, by their places."""
        if self.depth is None or not chosen:
            return {}
        focal = None if focal_px is None else [focal_px[i] for i in chosen]
        discs = None if only is None else [only[i] for i in chosen]
        found = self.depth.estimate([pictures[i] for i in chosen], focal, discs)
        return dict(zip(chosen, found, strict=True))

    def _place(self, pose: Poses2d) -> _Placed:
        """Joints, and how far around each depth is looked at."""
        source, target = self.keypoint_skeleton.name, self.skeleton.name
        joints = map_joints(pose.keypoints_2d, source, target).astype(np.float32)
        trust = map_confidence(pose.confidence, source, target).astype(np.float32)
        options = self.descriptor
        size = torso_size_px(joints, self.skeleton)
        radius = radius_px(trust, size, options.radius_rule, options.r_min_px, options.r_max_px)
        # As the table keeps it: it tells which pixels counted.
        return _Placed(joints, trust, radius.astype(np.float32))

    def _describe(
        self,
        people: People,
        pose: Poses2d,
        placed: _Placed,
        depth: DepthMap | None,
        discs: Discs | None,
    ) -> Detections:
        depth_m, valid = self._read_discs(depth, discs, placed.confidence.shape)
        return Detections(
            box_xyxy=people.boxes_xyxy,
            box_score=people.scores,
            keypoints_2d=pose.keypoints_2d,
            confidence=pose.confidence,
            joints_2d=placed.joints_2d,
            joint_confidence=placed.confidence,
            depth_m=depth_m,
            depth_valid=valid,
            radius_px=placed.radius_px,
            features=self._features(pose, depth, placed.joints_2d),
        )

    def _features(
        self, pose: Poses2d, depth: DepthMap | None, joints: FloatArray
    ) -> npt.NDArray[np.float16] | None:
        """(N, J, F), those of the pose network first; None where nobody asked for them."""
        if self.features is None:
            return None
        n_pose, n_depth = self.feature_sizes
        found = np.full((*joints.shape[:2], n_pose + n_depth), np.nan, np.float32)
        if n_pose:
            found[..., :n_pose] = pose.features_at(joints, self.features)
        if n_depth and depth is not None:
            found[..., n_pose:] = depth.features_at(joints, self.features)
        return as_float16(found)

    def _read_discs(
        self, depth: DepthMap | None, discs: Discs | None, shape: tuple[int, ...]
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """The discs of everybody in the picture at once, `shape` (N, J): (N, J, 6), (N, J)."""
        if depth is None or discs is None:
            return np.full((*shape, len(STATISTICS)), np.nan, np.float32), np.zeros(shape, bool)
        depth_m, valid = depth.read(discs, self.descriptor.quantiles)
        return depth_m.reshape(*shape, len(STATISTICS)), valid.reshape(shape)
