"""What depth networks answer, and what a table of their answers says of it.

* "metric": metres along the optical axis.
* "relative": depth of unknown scale.
* "inverse": disparity of unknown scale and origin, larger is nearer (Depth Anything's relative
  networks); `depth.py` makes depth of unknown scale of it.
"""

from __future__ import annotations

import logging

METRIC = "metric"
KINDS = (METRIC, "relative", "inverse")

DEPTH_KIND = "depth_kind"
"""Key of a table's `extra`: what its `depth_m` comes from, one of `KINDS`."""

logger = logging.getLogger(__name__)


def warn_of_relative_depth(kind: str | None, where: str) -> None:
    """Say it where `depth_m` holds no metres; `where` is a model or a table.

    It is no error: the order of joints by depth is right, and a lifter can learn from it and be
    used on depth of the same network. What reckons in metres (scale=depth, clipping, factor=depth)
    means nothing then.
    """
    if kind not in (None, METRIC):
        logger.warning(
            "%s: its depth is %s, so depth_m holds no metres but depths of unknown scale, another "
            "in each picture; only the order of a person's joints can be relied on",
            *(where, kind),
        )
