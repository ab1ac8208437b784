"""Whether a matrix that a file calls a rotation is one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Files give six digits and more; a transposed row or a lost number is far beyond this.
_TOLERANCE = 1e-3


def is_rotation(matrix: npt.NDArray[np.float64]) -> bool:
    """Orthonormal rows and no mirror image, for a matrix (3, 3)."""
    orthonormal = np.allclose(matrix @ matrix.T, np.eye(3), atol=_TOLERANCE)
    return bool(orthonormal and np.linalg.det(matrix) > 0)
