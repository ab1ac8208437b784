"""The scripts of bench/claims are no package: they find each other in their own folder."""

from __future__ import annotations

import sys
from pathlib import Path

CLAIMS = Path(__file__).resolve().parents[3] / "bench" / "claims"
sys.path.insert(0, str(CLAIMS))
