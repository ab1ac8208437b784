"""Human3.6M in other tools' files: the same names and cameras as from its own."""

from __future__ import annotations

from auglift.datasets.h36m_cameras import CAMERA_NAMES
from auglift.datasets.h36m_metadata import (
    BUILT_IN_METADATA,
    FPS,
    SPLITS,
    USUAL_SIZES,
    action_of,
    canonical_take,
)
from auglift.datasets.imports.flat import Take
from auglift.datasets.options import DatasetOptions
from auglift.errors import DataError
from auglift.geometry.camera import Camera


def take_of(subject: str, name: str, camera: str, source: str) -> Take:
    """`TakingPhoto 1` of S1 before camera 54138969, by the names that our own reader gives."""
    take = canonical_take(name)
    return Take(
        name=f"h36m/{subject}/{take}/{camera}",
        split=SPLITS.get(subject, "train"),
        subject=subject,
        action=action_of(take),
        camera_name=camera,
        source=source,
        fps=FPS,
    )


def picture_size(subject: str, camera: str, options: DatasetOptions) -> tuple[int, int]:
    """Width and height of the pictures."""
    if options.h36m_sizes == "true" and (subject, camera) in BUILT_IN_METADATA.sizes:
        return BUILT_IN_METADATA.sizes[subject, camera]
    return dict(zip(CAMERA_NAMES, USUAL_SIZES, strict=True)).get(camera, (1000, 1000))


def camera_of(subject: str, camera: str, options: DatasetOptions) -> Camera:
    """From the built-in table."""
    key = (subject, camera)
    if key not in BUILT_IN_METADATA.mountings:
        raise DataError(f"no camera {camera} of {subject} is known")
    return BUILT_IN_METADATA.mountings[key].camera(picture_size(subject, camera, options))
