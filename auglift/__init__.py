"""auglift: depth-augmented 3D human pose lifting.

    import auglift

    people = auglift.infer("clip.mp4")            # lifted people, nothing is written
    lifter = auglift.Lifter.from_zoo("my-run")    # poses from 2D joints of your own

Everything heavy is imported when it is first used.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # By name: every room imports the package, which must not import the rooms.
    from importlib import import_module

    if name == "Lifter":
        return import_module("auglift.lifting.lifter").Lifter
    if name == "infer":
        return import_module("auglift.infer")  # a module that can be called
    raise AttributeError(f"module 'auglift' has no attribute '{name}'")
