"""Checkpoints of other tools → our lifters: `auglift convert FILE`.

A tool is a module with `recognises(weights)`, which looks at names and shapes only, and
`draft(weights, told)`, which says what the network is, renames its tensors, and moves what its
input has differently into its first layer. Tools are found by names, never by the file's name.
"""

from __future__ import annotations

from typing import Protocol

from auglift.errors import ModelError, unknown_name
from auglift.lifting.imports import (
    auglift_poseformer,
    auglift_tcn,
    mmpose,
    motionagformer,
    motionbert,
    poseformer,
    videopose3d,
)
from auglift.lifting.imports.checkpoint_file import Weights
from auglift.lifting.imports.draft import Draft, Told


class Tool(Protocol):
    """Whose checkpoint it is."""

    def recognises(self, weights: Weights) -> bool:
        """Whether it is one of this tool's."""
        ...

    def draft(self, weights: Weights, told: Told) -> Draft:
        """What it is."""
        ...


TOOLS: dict[str, Tool] = {
    "videopose3d": videopose3d,
    "mmpose": mmpose,
    "poseformer": poseformer,
    "motionbert": motionbert,
    "motionagformer": motionagformer,
    "auglift-poseformer": auglift_poseformer,
    "auglift-tcn": auglift_tcn,
}


def recognise(weights: Weights, told: str | None = None) -> str:
    """The tool that these weights are of: the one told, or by their names."""
    if told is not None:
        if told not in TOOLS:
            raise unknown_name("tool", told, TOOLS)
        return told
    for name, tool in TOOLS.items():
        if tool.recognises(weights):
            return name
    some = ", ".join(sorted(weights)[:6])
    raise ModelError(
        f"a network that is not known here; its tensors are {some} …",
        hint=f"known are those of {', '.join(TOOLS)}",
    )
