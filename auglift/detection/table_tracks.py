"""People whom a table knows already: rows of an xycd table → tracks, as of a clip.

In: the rows of one sequence. Out: a `PersonTrack` for each person, short gaps closed.
"""

from __future__ import annotations

import numpy as np

from auglift.detection.person_tracks import PersonTrack, close_gaps
from auglift.storage.cards import load_cards
from auglift.storage.tables import Table

COLUMNS = (
    "time_s", "image_wh", "intrinsics", "detected", "joints_2d", "joint_confidence", "depth_m",
    "depth_valid",
)  # fmt: skip
"""What is read of the table."""


def tracks_of_table(table: Table, max_gap_s: float) -> list[PersonTrack]:
    """Everybody of one sequence."""
    return [
        close_gaps(_track(track.person, table.select(track.rows)), max_gap_s)
        for track in table.tracks()
    ]


def has_metric_depth(table: Table) -> bool:
    """Whether the depth network of the table's detections answers in metres, as its card says."""
    record = table.metadata.models.get("depth")
    card = load_cards().get(record.id) if record is not None else None
    return card is not None and card.options.get("kind", "metric") == "metric"


def _track(person: int, rows: Table) -> PersonTrack:
    seen = rows["detected"]
    blank = np.where(seen, 0.0, np.nan)  # rows without the person hold nothing that counts
    return PersonTrack(
        person=person,
        frame=rows["frame"].astype(np.int64),
        time_s=rows["time_s"],
        detected=seen,
        joints_2d=rows["joints_2d"] + blank[:, None, None],
        joint_confidence=rows["joint_confidence"] + blank[:, None],
        depth_m=rows["depth_m"],
        depth_valid=rows["depth_valid"] & seen[:, None],
        features=rows["features"] if "features" in rows.columns else None,
    )
