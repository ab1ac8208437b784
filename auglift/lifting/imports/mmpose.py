"""MMPose's temporal convolutions: VideoPose3D and SimpleBaseline, of 0.x and 1.x.

The file: meta, state_dict. Names are `backbone.*` and `head.conv.*` (`keypoint_head.*` in 0.x); a
network of the trajectory (`traj_*`) is dropped. Where all joints come out, keypoints are by the
picture's width and targets metres from the root. Where the root does not, it is SimpleBaseline:
pixels and metres are z-scored with statistics that the file lacks.
"""

from __future__ import annotations

import re

from auglift.errors import ModelError
from auglift.lifting.imports.checkpoint_file import Weights
from auglift.lifting.imports.draft import H36M_FPS, Draft, Told, skeleton_of, variant_of
from auglift.lifting.imports.statistics import Statistics
from auglift.lifting.imports.tcn_sizes import TCNSizes, tcn_sizes
from auglift.lifting.spec import FeatureConfig, LifterSpec, TargetConfig

STATISTICS_HINT = "--stats joint2d_stats.pkl --stats joint3d_rel_stats.pkl (MMPose's converter)"

_FIRST = "backbone.expand_conv.conv.weight"
_BLOCK = re.compile(r"backbone\.tcn_blocks\.(\d+)\.conv([12])\.0\.(conv|bn)\.(\w+)")
_PLAIN = {
    "backbone.expand_conv.conv.": "expand_conv.",
    "backbone.expand_conv.bn.": "expand_bn.",
    "head.conv.": "shrink.",
    "keypoint_head.conv.": "shrink.",
}


def recognises(weights: Weights) -> bool:
    """By names, and by pixels alone going in: MMPose's own know no other channels."""
    return _FIRST in weights and tcn_sizes(our_names(weights)).in_channels == 2


def draft(weights: Weights, told: Told) -> Draft:
    """As VideoPose3D's, or z-scored."""
    ours = our_names(weights)
    sizes = tcn_sizes(ours)
    variant = variant_of(sizes.in_channels, ("xy",), told.variant)
    if sizes.out_joints == sizes.n_joints:
        features, target = FeatureConfig(variant=variant, scale="none"), TargetConfig()
    else:
        features, target = _zscored(variant, sizes, told.stats)
    spec = LifterSpec(
        arch="tcn",
        model=dict(sizes.arguments()),
        features=features,
        target=target,
        skeleton=skeleton_of(sizes.n_joints, told.skeleton),
        fps=H36M_FPS,
    )
    return Draft(spec, ours)


def our_names(weights: Weights) -> Weights:
    """The lifter's tensors under VideoPose3D's names; the trajectory's are left out."""
    return {
        _our_name(name): value
        for name, value in weights.items()
        if not name.startswith(("traj_", "traj."))
    }


def _our_name(name: str) -> str:
    if block := _BLOCK.fullmatch(name):
        i_block, i_conv, kind, rest = block.groups()
        return f"layers_{kind}.{2 * int(i_block) + int(i_conv) - 1}.{rest}"
    for theirs, ours in _PLAIN.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


def _zscored(
    variant: str, sizes: TCNSizes, stats: Statistics
) -> tuple[FeatureConfig, TargetConfig]:
    _check("keypoints", (stats.keypoints_mean, stats.keypoints_std), 2 * sizes.n_joints)
    _check("targets", (stats.target_mean, stats.target_std), 3 * sizes.out_joints)
    features = FeatureConfig(
        variant=variant,
        keypoints="zscore",
        scale="none",
        keypoint_mean=stats.keypoints_mean,
        keypoint_std=stats.keypoints_std,
    )
    target = TargetConfig(
        convention="zscore", root="removed", mean=stats.target_mean, std=stats.target_std
    )
    return features, target


def _check(of: str, found: tuple[tuple[float, ...], ...], wanted: int) -> None:
    counts = {len(numbers) for numbers in found}
    if counts == {wanted}:
        return
    what = "are not in the file" if counts == {0} else f"are of {max(counts)} numbers, not {wanted}"
    raise ModelError(
        f"this network z-scores; its mean and standard deviation of {of} {what}",
        hint=STATISTICS_HINT,
    )
