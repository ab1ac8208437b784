"""The overlay has the source's frames and times, and draws whoever is in each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auglift.errors import BrokenFileError
from auglift.geometry.skeleton import H36M_17
from auglift.outputs.overlay_video import drawn_frames, write_overlay
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.outputs.staging import PERSON_RGB
from auglift.storage.frames import BrokenFrame, Frame
from auglift.storage.pictures import read_picture
from auglift.storage.video import read_video

N = H36M_17.n_joints
TIMES_S = [0.0, 0.05, 0.2, 0.24]


def frames() -> list[Frame]:
    return [Frame(i, t, np.zeros((64, 96, 3), np.uint8)) for i, t in enumerate(TIMES_S)]


def person_in(first: int, last: int, x: float) -> LiftedPerson:
    frame = np.arange(first, last + 1)
    joints = np.full((len(frame), N, 2), np.nan)
    joints[:, 0] = (x, 32.0)
    unlifted = np.full((len(frame), N, 3), np.nan)
    seen = np.ones(len(frame), bool)
    return LiftedPerson(0, frame, frame / 25, seen, unlifted, joints, np.ones((len(frame), N)))


def lifted(*people: LiftedPerson) -> LiftedPeople:
    return LiftedPeople("clip", H36M_17, (96, 64), 20.0, "run", list(people))


def is_marked(picture: np.ndarray, x: int) -> bool:
    return bool(picture[32, x].min() > 200)


def colours_in(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


def test_everybody_is_drawn_in_his_own_frames() -> None:
    clip = lifted(person_in(1, 2, x=20), person_in(2, 3, x=70))
    marks = [(is_marked(p, 20), is_marked(p, 70)) for _, p in drawn_frames(frames(), clip)]
    assert marks == [(False, False), (True, False), (True, True), (False, True)]


def test_the_video_has_the_sources_times(tmp_path: Path) -> None:
    path, steps = tmp_path / "a.mp4", []
    write_overlay(
        path, frames(), dict(enumerate(TIMES_S)), lifted(person_in(1, 1, x=20)), steps.append
    )
    read = list(read_video(path))
    np.testing.assert_allclose([frame.time_s for frame in read], TIMES_S, atol=1e-4)
    assert [is_marked(frame.picture, 20) for frame in read] == [False, True, False, False]
    assert sum(steps) == len(TIMES_S)


def test_broken_frames_are_left_out(tmp_path: Path) -> None:
    walk = [*frames()[:2], BrokenFrame(2, 0.2, BrokenFileError("torn")), frames()[3]]
    times_s = {i: t for i, t in enumerate(TIMES_S) if i != 2}
    write_overlay(tmp_path / "a.mp4", walk, times_s, lifted(), lambda n: None)
    times = [frame.time_s for frame in read_video(tmp_path / "a.mp4")]
    np.testing.assert_allclose(times, [0.0, 0.05, 0.24], atol=1e-4)


def test_a_picture_becomes_a_picture(tmp_path: Path) -> None:
    clip = lifted(person_in(0, 0, x=20))
    write_overlay(tmp_path / "a.png", frames()[:1], {0: 0.0}, clip, lambda n: None)
    picture = read_picture(tmp_path / "a.png")
    assert picture.shape == (64, 96 + 32, 3)
    assert is_marked(picture, 20)


def standing_at(*places: float, placed: bool = True) -> LiftedPeople:
    """One frame of people, each a hip and a left hip, so far to the right in camera axes."""
    people = []
    for i, x in enumerate(places):
        pose = np.full((1, N, 3), np.nan)
        pose[:] = (0.0, 0.0, 0.0)
        pose[:, H36M_17.index("head")] = (0.0, -1.7, 0.0)
        people.append(
            LiftedPerson(
                person=i,
                frame=np.array([0]),
                time_s=np.array([0.0]),
                detected=np.ones(1, bool),
                pose_3d=pose,
                joints_2d=np.full((1, N, 2), np.nan),
                confidence=np.ones((1, N)),
                root_m=np.array([[x, 1.0, 5.0]]) if placed else None,
            )
        )
    return lifted(*people)


def columns_of_people(clip: LiftedPeople) -> list[int]:
    """Where the front view shows the joints' white dots, by the middle of each cluster."""
    frame = Frame(0, 0.0, np.zeros((480, 64, 3), np.uint8))
    ((_, drawn),) = drawn_frames([frame], clip)
    front = drawn[:240, 64:]
    columns = np.flatnonzero((front.min(axis=-1) > 230).any(axis=0))
    clusters = np.split(columns, np.flatnonzero(np.diff(columns) > 8) + 1)
    return [round(float(cluster.mean())) for cluster in clusters]


def test_people_stand_at_their_places_in_the_views() -> None:
    near, middle, far = columns_of_people(standing_at(-1.0, -0.5, 1.0))
    assert (far - middle) / (middle - near) == pytest.approx(3.0, abs=0.3)


def test_people_without_places_stand_in_a_row() -> None:
    first, second, third = columns_of_people(standing_at(0.0, 0.0, 0.0, placed=False))
    assert third - second == pytest.approx(second - first, abs=2)
    assert second - first > 30


def test_everybody_is_tagged_with_his_number_and_colour() -> None:
    frames = [Frame(i, t, np.zeros((480, 640, 3), np.uint8)) for i, t in enumerate(TIMES_S)]
    clip = lifted(person_in(0, 1, x=20), person_in(1, 1, x=70))
    (_, first), (_, second), (_, third), _ = drawn_frames(frames, clip)
    tags = [[c in colours_in(p[:, :640]) for c in PERSON_RGB[:2]] for p in (first, second, third)]
    assert tags == [[True, False], [True, True], [False, False]]
