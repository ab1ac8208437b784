"""What a notebook shows of lifted people: who was seen when, and how they stand at that moment.

In: `LiftedPeople`. Out: HTML without scripts: a table with a row for each person, and a picture of
the 3D poses in the frame that shows most people, from front and side.
"""

from __future__ import annotations

import base64
from html import escape

import cv2
import numpy as np

from auglift.outputs.overlay_views import draw_views, frame_stage
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.outputs.staging import PERSON_RGB, make_stage

VIEW_PX = 240
MOST_ROWS = 12
COLUMNS = ("person", "seconds", "poses", "distance")


def people_html(lifted: LiftedPeople) -> str:
    """The table, and below it the picture, if there is a pose."""
    heads = "".join(f"<th>{name}</th>" for name in COLUMNS)
    rows = "".join(_row(i, person) for i, person in enumerate(lifted.people[:MOST_ROWS]))
    n_more = len(lifted.people) - MOST_ROWS
    more = f"<p>and {n_more} more</p>" if n_more > 0 else ""
    return (
        f"<p><b>{escape(lifted.source)}</b>: {len(lifted.people)} person(s), {lifted.fps:g} Hz, "
        f"{lifted.skeleton.name}, by {escape(lifted.lifter)}<br>{escape(lifted.positions)}</p>"
        f"<table><tr>{heads}</tr>{rows}</table>{more}{_picture(lifted)}"
    )


def distance_m(person: LiftedPerson) -> float | None:
    """The median of a person's distances from the camera; None without places."""
    if person.root_m is None or not person.is_placed.any():
        return None
    return float(np.median(np.linalg.norm(person.root_m[person.is_placed], axis=1)))


def _row(i: int, person: LiftedPerson) -> str:
    red, green, blue = PERSON_RGB[i % len(PERSON_RGB)]
    far_m = distance_m(person)
    cells = (
        f"<span style='color:rgb({red},{green},{blue})'>&#9679;</span> {person.person}",
        f"{person.time_s[0]:.2f} to {person.time_s[-1]:.2f}",
        f"{int(person.is_lifted.sum())} of {len(person.frame)}",
        "unknown" if far_m is None else f"{far_m:.1f} m",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _picture(lifted: LiftedPeople) -> str:
    """Both views of the first frame with most people, as an image; nothing without poses."""
    poses = make_stage(lifted).in_a_row(1.0, 0.0, -1.0)
    frames = [person.frame[np.isfinite(pose).all(axis=(1, 2))]
              for person, pose in zip(lifted.people, poses, strict=True)]  # fmt: skip
    numbers, counts = np.unique(np.concatenate([np.zeros(0, int), *frames]), return_counts=True)
    if len(numbers) == 0:
        return ""
    i_frame = int(numbers[counts.argmax()])
    here = [i for i, some in enumerate(frames) if i_frame in some]
    now = np.stack([poses[i][lifted.people[i].frame == i_frame][0] for i in here])
    tags = [(str(lifted.people[i].person), PERSON_RGB[i % len(PERSON_RGB)]) for i in here]
    views = draw_views(now, lifted.skeleton, VIEW_PX, frame_stage(list(now[:, None])), tags)
    beside = np.concatenate([views[:VIEW_PX], views[VIEW_PX:]], axis=1)
    png = base64.b64encode(cv2.imencode(".png", beside[..., ::-1])[1].tobytes()).decode()
    return (
        f"<img alt='3D poses in frame {i_frame}, from front and side' "
        f"src='data:image/png;base64,{png}'><p>frame {i_frame}</p>"
    )
