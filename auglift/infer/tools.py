"""The networks and the lifter, opened once for all inputs: `Tools`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from auglift.errors import UsageError
from auglift.executors import Progress, silent
from auglift.infer.config import InferConfig
from auglift.lifting.zoo_choice import Given
from auglift.storage.workspace import Workspace

if TYPE_CHECKING:
    from auglift.detection.detector import DescriptorOptions, Detector
    from auglift.detection.zoo_detector import OpenedDetector
    from auglift.lifting.choice import OpenedLifter
    from auglift.lifting.spec import LifterSpec
    from auglift.storage.table_metadata import ModelRecord


class _Networks(NamedTuple):
    """Those that look at pictures for a lifter, by name, and how they look."""

    person: str
    pose: str
    depth: str | None
    descriptor: DescriptorOptions
    pooling: str | None
    """Of their features, for lifters that use them."""


@dataclass
class Tools:
    """What is opened once for all inputs."""

    config: InferConfig
    progress: Progress = silent
    opened: OpenedDetector | None = None
    """The one to use, whatever lifter is chosen; default: what the lifters ask for."""
    lifters: dict[Given, OpenedLifter] = field(default_factory=dict)
    detectors: dict[_Networks, OpenedDetector] = field(default_factory=dict)

    def lifter(self, given: Given) -> OpenedLifter:
        """The lifter that is named, or the one for what there is."""
        from auglift.lifting.choice import open_lifter
        from auglift.lifting.devices import pick_device

        if given not in self.lifters:
            self.lifters[given] = open_lifter(
                Workspace(self.config.root),
                self.config.checkpoint,
                **given._asdict(),
                device=pick_device(_device_of_torch(self.config.device)),
                model_dir=self.config.model_dir,
            )
        return self.lifters[given]

    def detector(self, is_photo: bool = False) -> tuple[Detector, OpenedLifter]:
        """The networks for pictures, and the lifter for what they find."""
        # Before the networks: torch and ONNX Runtime share CUDA's libraries only if torch is first.
        has_features = self.opened is None or self.opened.detector.n_features > 0
        lifter = self.lifter(Given(True, one_frame=is_photo, has_features=has_features))
        opened = self.opened or self._networks(lifter.lifter.spec)
        found, wanted = opened.detector.skeleton, lifter.lifter.skeleton
        if found != wanted:
            raise UsageError(
                f"the detector finds {found.name}, the lifter was trained on {wanted.name}",
                where=lifter.path,
            )
        return opened.detector, lifter

    def _networks(self, spec: LifterSpec) -> OpenedDetector:
        """What a lifter asks for, opened once for all that ask for the same."""
        from auglift.detection.default_models import options_asked_for
        from auglift.detection.zoo_detector import open_detector

        config, wanted = self.config, _networks_for(spec, self.config)
        if wanted not in self.detectors:
            opened = open_detector(
                *wanted[:3],
                device=config.device,
                batch=config.batch,
                model_dir=config.model_dir,
                descriptor=wanted.descriptor,
                options=options_asked_for(config.person_input_wh, config.precision),
                features=wanted.pooling,
            )
            require_networks(spec, opened.models)
            self.detectors[wanted] = opened
        return self.detectors[wanted]


def _device_of_torch(device: str) -> str:
    """The device as PyTorch knows it: TensorRT and CoreML are ONNX Runtime's ways to a GPU."""
    kind, colon, index = device.partition(":")
    return {"tensorrt": "cuda", "coreml": "mps"}.get(kind, kind) + colon + index


def _networks_for(spec: LifterSpec, config: InferConfig) -> _Networks:
    """The networks that are named, else those for the lifter's data; depth if it asks for it."""
    from auglift.detection.default_models import default_models
    from auglift.detection.detector import DescriptorOptions
    from auglift.storage.cards import load_cards

    default = default_models(dataset for dataset, _ in spec.data.get("tables", []))
    learned, zoo = spec.data.get("networks", {}), load_cards()
    own = {role: name for role, (name, _) in learned.items() if name in zoo}
    needs_depth = spec.uses_depth or "depth" in learned
    return _Networks(
        config.person_model or default.person,
        config.pose_model or own.get("poses2d", default.pose),
        config.depth_model or (own.get("depth", default.depth) if needs_depth else None),
        DescriptorOptions(
            radius_rule=spec.radius_rule, r_min_px=spec.r_min_px, r_max_px=spec.r_max_px
        ),
        spec.features.feature_pooling if spec.features.uses_features else None,
    )


def require_networks(spec: LifterSpec, models: Mapping[str, ModelRecord]) -> None:
    """Refuse features of other networks than those from which the lifter learned."""
    for role, (name, sha256) in spec.data.get("networks", {}).items():
        found = models.get(role)
        if found is None or found.sha256 != sha256:
            other = f"{found.id} ({found.sha256[:8]})" if found else "nothing"
            raise UsageError(
                f"the lifter learned from features of {name} ({sha256[:8]}), and here they are "
                f"those of {other}",
                where=role,
                hint=f"--{'pose' if role == 'poses2d' else role}-model with the file of {name}",
            )
