"""Lifting a clip: frames per second, and what is saved by sharing the work of neighbouring frames.

`dilated` is MMPose's way (and VideoPose3D's network on windows): every frame has a window of its
own, 64 at a time, through the network as it is. `strided` computes of each window only what its one
pose needs. `clip` is ours. For PoseFormer, `whole` is the reference's way (spatial and temporal
stage once per window). All ways must give the same poses. Random weights; the slow ways are
measured on fewer frames.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from rates import Rates, frames_per_s, make_parser, show
from torch import Tensor

from auglift.lifting.data import PoseData, load_pose_data
from auglift.lifting.lifter import Lifter
from auglift.lifting.models.poseformer import PoseFormer
from auglift.lifting.models.tcn import TCN
from auglift.lifting.spec import FeatureConfig, LifterSpec

WINDOWS_AT_ONCE = 64
N_JOINTS = 17
POSEFORMER_CHANNELS = 32
FPS = 25.0


def make_clip(n_frames: int, seed: int) -> PoseData:
    """One person's joints in a 1000 × 1000 picture."""
    rng = np.random.default_rng(seed)
    columns = {
        "joints_2d": rng.uniform(0, 1000, (n_frames, N_JOINTS, 2)).astype(np.float32),
        "detected": np.ones(n_frames, bool),
        "image_wh": np.full((n_frames, 2), 1000, np.int32),
    }
    return load_pose_data(columns, np.array([0, n_frames]), np.array([FPS]))


def make_lifter(arch: str, frames: int, channels: int, seed: int) -> Lifter:
    """A lifter of joints' places, with random weights."""
    torch.manual_seed(seed)
    kind = {"tcn": TCN, "poseformer": PoseFormer}[arch]
    spec = LifterSpec(
        arch=arch, model={}, features=FeatureConfig(variant="xy", scale="none"), fps=FPS
    )
    return Lifter(kind(frames=frames, channels=channels), spec)


def windows(lifter: Lifter, data: PoseData, n_frames: int) -> Tensor:
    """Windows (N, T, J, C) of the first `n_frames`, their ends padded."""
    half = lifter.model.receptive_field // 2
    features = lifter.features(data.columns)
    first, last = (edge.expand(half, -1, -1) for edge in (features[:1], features[-1:]))
    padded = torch.cat([first, features, last])
    return padded.unfold(0, 2 * half + 1, 1).movedim(-1, 1)[:n_frames]


@torch.inference_mode()
def by_windows(lifter: Lifter, data: PoseData, n_frames: int, way: str) -> Tensor:
    """Poses (N, J, 3), each from its own window."""
    model, poses = lifter.model, []
    for some in windows(lifter, data, n_frames).split(WINDOWS_AT_ONCE):
        if way == "dilated":
            assert isinstance(model, TCN)
            poses.append(model.decode(model.dilated(some.flatten(2)))[:, 0])
        else:
            poses.append(model(some)[:, 0])
    return torch.cat(poses)


def measure(
    lifter: Lifter, ways: dict[str, int], n_frames: int, options: argparse.Namespace
) -> dict[str, float]:
    """Frames per second of ours, and of each way on as many frames as are named with it."""
    data = make_clip(n_frames, options.seed)
    ours = torch.from_numpy(lifter.lift(data))
    rates = {"clip": frames_per_s(lambda: lifter.lift(data), n_frames, options.rounds)}
    for way, n_few in ways.items():

        def lift(way: str = way, n_few: int = n_few) -> Tensor:
            return by_windows(lifter, data, n_few, way)

        torch.testing.assert_close(lift(), ours[:n_few], atol=1e-4, rtol=1e-4)
        rates[way] = frames_per_s(lift, n_few, options.rounds)
    return rates


def run(options: argparse.Namespace) -> list[Rates]:
    """Each lifter's rates."""
    records: list[Rates] = []
    for frames, n_dilated in ((27, 256), (81, 128), (243, 64)):
        lifter = make_lifter("tcn", frames, options.channels, options.seed)
        ways = {"dilated": n_dilated, "strided": 256}
        rates = measure(lifter, ways, options.frames, options)
        records.append(Rates({"lifter": f"tcn-{frames}", "channels": options.channels}, rates))
    for frames in (27, 81):
        lifter = make_lifter("poseformer", frames, POSEFORMER_CHANNELS, options.seed)
        rates = measure(lifter, {"whole": 64}, options.frames // 4, options)
        labels = {"lifter": f"poseformer-{frames}", "channels": POSEFORMER_CHANNELS}
        records.append(Rates(labels, rates))
    return records


def main() -> None:
    """Print one table, or one JSON document."""
    options = make_parser(__doc__, n_frames=1000).parse_args()
    torch.set_num_threads(options.threads)
    show(run(options), options.json)


if __name__ == "__main__":
    main()
