"""What a user may choose about one dataset; the others ignore it. Light: `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from auglift.config import setting


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """Choices of the readers; each name begins with its dataset's."""

    h36m_positions: Literal["auto", "mono", "world"] = setting("auto")
    """3D from D3_Positions_mono, or from D3_Positions and the cameras; auto: what is there."""

    h36m_sizes: Literal["true", "mmpose"] = setting("true")
    """Picture heights: those of metadata.xml and the videos, or MMPose's for every subject."""

    h36m_s9_shift: bool = setting(False)
    """Take back the 200 mm by which three of S9's takes are shifted against their pictures."""

    mpi3dhp_pose: Literal["annot3", "univ_annot3"] = setting("annot3")
    """Metric 3D, or that of the height-normalised skeleton."""

    mpi3dhp_intrinsics: Literal["fitted", "official"] = setting("fitted")
    """Test cameras: as the annotations were made with, or as the dataset's read-me has them."""

    mpi3dhp_frames: Literal["valid", "all"] = setting("valid")
    """Which frames of the test sequences."""

    pw3d_joints: Literal["a", "b", "c"] = setting("a")
    """How SMPL's 24 joints become Human3.6M's 17; c asks for regressor and vertices."""

    pw3d_regressor: Path | None = setting(None)
    """J_regressor_h36m.npy, for variant c."""

    pw3d_smpl: Path | None = setting(None)
    """Folder of SMPL vertices (one npz per sequence), for variant c."""

    fit3d_split: str = setting("published")
    """`published` (test: s10, s11), or the test subjects, such as s09,s11."""

    import_fps: float | None = setting(None)
    """Frame rate of an imported file that does not say it."""

    def only(self, *prefixes: str) -> DatasetOptions:
        """Those whose name begins so; all others have their defaults."""
        kept = [f.name for f in fields(self) if f.name.startswith(prefixes)]
        return DatasetOptions(**{name: getattr(self, name) for name in kept})
