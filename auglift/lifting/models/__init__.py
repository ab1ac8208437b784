"""The lifters, one architecture per file; constructor arguments are config keys."""

from __future__ import annotations

from auglift.errors import unknown_name
from auglift.lifting.models.interface import LifterModel
from auglift.lifting.models.tcn import TCN

ARCHITECTURES: dict[str, type[LifterModel]] = {"tcn": TCN}


def build_model(arch: str, **arguments: object) -> LifterModel:
    """A new model by name; an unknown name lists the known ones."""
    if arch not in ARCHITECTURES:
        raise unknown_name("architecture", arch, ARCHITECTURES)
    return ARCHITECTURES[arch](**arguments)
