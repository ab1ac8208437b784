"""Which networks look at pictures: those of a mode for a dataset, and what is named instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from auglift.errors import unknown_name

ROLES = ("people", "poses2d", "depth")


class ModelNames(NamedTuple):
    """Cards (or ONNX files) by role."""

    person: str
    pose: str
    depth: str


@dataclass(frozen=True)
class Mode:
    """Three networks, and what they are told beyond their cards."""

    models: ModelNames
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Arguments of the class that runs a network, by role: people, poses2d, depth."""

    def with_models(
        self, person: str | None = None, pose: str | None = None, depth: str | None = None
    ) -> Mode:
        """The same with these networks, where they are named."""
        named = (person, pose, depth)
        pairs = zip(named, self.models, strict=True)
        return replace(self, models=ModelNames(*(name or default for name, default in pairs)))

    def with_options(self, role: str, **asked: Any) -> Mode:
        """The same with these options of one network; what is None was not asked for."""
        told = {name: value for name, value in asked.items() if value is not None}
        return replace(self, options={**self.options, role: {**self.options.get(role, {}), **told}})


def options_asked_for(
    person_input_wh: tuple[int, int] | None, precision: str | None
) -> dict[str, dict[str, Any]]:
    """What the networks are told, by role, about their input and precision; None says nothing."""
    told = {} if precision is None else {"precision": precision}
    options: dict[str, dict[str, Any]] = {role: {**told} for role in ROLES}
    if person_input_wh is not None:
        options["people"]["input_wh"] = list(person_input_wh)  # as cards have it
    return options


# All but `paper` may be used for anything: Depth Anything V2 Base and Large are CC-BY-NC.
MODES = {
    "lightweight": Mode(ModelNames("rtmdet-nano", "rtmpose-t", "depth-anything-v2-small-indoor")),
    "balanced": Mode(ModelNames("rtmdet-m", "rtmpose-m", "depth-anything-v2-small-indoor")),
    "performance": Mode(
        ModelNames("rtmdet-m", "rtmpose-l-384x288", "depth-anything-v2-small-indoor")
    ),
    # What AugLift ran, indoors and outdoors.
    "paper": Mode(
        ModelNames("rtmdet-m", "rtmpose-l-384x288", "depth-anything-v2-large-indoor"),
        {"poses2d": {"flip_test": True}},
    ),
}
DEFAULT_MODE = "performance"

REAL = MODES[DEFAULT_MODE].models
VIRTUAL = ModelNames("virtual-person", "virtual-pose", "virtual-depth")


def default_models(datasets: Iterable[str]) -> ModelNames:
    """The networks for these datasets where no mode is named."""
    return mode_for(datasets).models


def mode_for(datasets: Iterable[str], mode: str = DEFAULT_MODE) -> Mode:
    """The networks of a mode for these datasets.

    Those that read the virtual world's colour code read no other world, so they are for that
    dataset alone, in every mode.
    """
    if mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    return Mode(VIRTUAL) if set(datasets) == {"virtual"} else MODES[mode]
