"""The page carries the clip as it was, stands alone, and no name in it can become code."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from auglift.errors import BrokenFileError
from auglift.geometry.angles import joint_angles
from auglift.geometry.ground import World
from auglift.geometry.skeleton import H36M_17
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.outputs.viewer import SCRIPTS, write_viewer
from auglift.outputs.viewer_film import make_film
from auglift.storage.frames import BrokenFrame, Frame
from auglift.storage.video import read_video

N = H36M_17.n_joints
Make = Callable[..., LiftedPeople]
HOSTILE = "</script><script>window.hacked=1</script><!-- {{rows}} \"'&\u2028\udcff.mp4"


class Page(HTMLParser):
    """A page's script elements by id, its scripts and styles, its title."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside, self.found = ("", ""), dict[tuple[str, str], str]()
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        assert not {"src", "href"} & set(about)
        if tag == "meta" and about.get("http-equiv"):
            self.policy = about["content"] or ""
        if tag in ("script", "style", "title"):
            self.inside = (tag, about.get("id") or about.get("type") or "")
            assert self.inside not in self.found
            self.found[self.inside] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside[0]:
            self.inside = ("", "")

    def handle_data(self, data: str) -> None:
        if self.inside[0]:
            self.found[self.inside] += data


def written(folder: Path, lifted: LiftedPeople, *args: Any, **kwargs: Any) -> Page:
    write_viewer(folder / "a.html", lifted, *args, **kwargs)
    return Page((folder / "a.html").read_text(encoding="utf-8"))


def clip_of(page: Page) -> tuple[dict[str, Any], list[dict[str, np.ndarray]]]:
    """The description, and each person's arrays (n, …) in their units, NaN where missing."""
    about = json.loads(page.found["script", "clip"])
    raw = np.frombuffer(gzip.decompress(base64.b64decode(page.found["script", "rows"])), np.uint8)
    low, high = raw.reshape(2, -1).astype(np.uint16)
    values, people = low | high << 8, []
    for person in about["people"]:
        sizes = {"pose": 3 * N, "joints": 2 * N, "trust": N, "angles": len(about["angles"])}
        arrays = {}
        for name, channels in sizes.items():
            steps, values = np.split(values, [channels * person["n"]])
            sums = np.cumsum(steps.reshape(channels, -1), axis=1, dtype=np.uint16).view(np.int16)
            arrays[name] = np.where(sums == -32768, np.nan, sums).T
        arrays["pose"] = arrays["pose"].reshape(-1, N, 3) * about["unit_m"]
        arrays["joints"] = arrays["joints"].reshape(-1, N, 2) * about["unit_px"]
        arrays["angles"] = arrays["angles"] * about["unit_deg"]
        people.append(arrays)
    assert len(values) == 0
    return about, people


def pictures(n: int, wh: tuple[int, int] = (64, 48)) -> list[Frame]:
    noise = np.random.default_rng(0).integers(0, 255, (n, wh[1], wh[0], 3), np.uint8)
    return [Frame(i, i / 10, picture) for i, picture in enumerate(noise)]


def test_poses_are_where_they_were_in_a_world_with_its_ground_at_0(
    tmp_path: Path, lifted: Make, walk: np.ndarray
) -> None:
    beside = walk + np.array([1.0, 0.0, 0.5])
    about, (first, second) = clip_of(written(tmp_path, lifted(walk, beside)))
    for pose in (first["pose"], second["pose"]):
        turned = walk * (1.0, -1.0, -1.0)
        np.testing.assert_allclose(pose - pose[:1, :1], turned - turned[:1, :1], atol=1.1e-3)
    np.testing.assert_allclose(
        (second["pose"] - first["pose"])[0, 0], (1.0, 0.0, -0.5), atol=1.1e-3
    )
    assert abs(first["pose"][..., 1].min()) < 0.15
    # The camera is where it was, too: the root seen from it is the root in camera axes.
    seen = first["pose"][0, 0] - about["camera"]["at"]
    np.testing.assert_allclose(seen * (1.0, -1.0, -1.0), walk[0, 0], atol=1.1e-3)


def test_a_world_that_knows_its_ground_keeps_it(
    tmp_path: Path, lifted: Make, walk: np.ndarray
) -> None:
    world = World(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 5.0, 0.0]))
    _, (person,) = clip_of(written(tmp_path, lifted(walk, world=world)))
    np.testing.assert_allclose(person["pose"][..., 1], 5.0 - walk[..., 1], atol=1.1e-3)


def test_a_world_with_z_up_is_shown_with_y_up(
    tmp_path: Path, lifted: Make, walk: np.ndarray
) -> None:
    _, (upright,) = clip_of(written(tmp_path, lifted(walk)))
    _, (turned,) = clip_of(written(tmp_path, lifted(walk, world=World().turned("z"))))
    np.testing.assert_array_equal(turned["pose"], upright["pose"])


def test_without_places_people_stand_side_by_side_on_the_ground(
    tmp_path: Path, lifted: Make, walk: np.ndarray
) -> None:
    clip = lifted(walk, walk)
    clip = replace(clip, people=[replace(person, root_m=None) for person in clip.people])
    about, (left, right) = clip_of(written(tmp_path, clip))
    assert about["camera"] is None
    assert "not known" in about["placing"]
    np.testing.assert_allclose((right["pose"] - left["pose"])[..., 0], 1.2, atol=1.1e-3)
    np.testing.assert_allclose(left["pose"][..., 1].min(axis=1), 0.0, atol=1.1e-3)


def test_gaps_and_unknown_rows_are_missing_and_the_rest_is_where_it_was(
    tmp_path: Path, lifted: Make, walk: np.ndarray
) -> None:
    late = walk.copy()
    late[2] = np.nan
    clip = lifted(walk, late)
    kept = np.array([0, 1, 2, 5])  # two frames have no row at all
    clip.people[1] = LiftedPerson(
        **{
            name: value if name == "person" or value is None else value[kept]
            for name, value in vars(clip.people[1]).items()
        }
    )
    about, (_, person) = clip_of(written(tmp_path, clip))
    assert about["frames"] == list(range(6))
    known = np.isfinite(person["pose"]).all(axis=(1, 2))
    np.testing.assert_array_equal(known, [True, True, False, False, False, True])
    assert np.isnan(person["trust"][3]).all()


def test_joints_trust_and_angles_come_along(tmp_path: Path, lifted: Make, walk: np.ndarray) -> None:
    clip = lifted(walk)
    (person,) = clip.people
    person.joints_2d[:, 3] = (12.3, 456.7)
    person.joints_2d[:, 4] = 1e9
    person.confidence[:] = 0.6
    person.detected[1] = False
    about, (rows,) = clip_of(written(tmp_path, clip))
    np.testing.assert_allclose(rows["joints"][:, 3], np.tile((12.3, 456.7), (6, 1)), atol=0.13)
    assert np.isnan(rows["joints"][:, 4]).all()
    assert rows["trust"][:2, 0].tolist() == [9 + 16, 9]
    true = joint_angles(person.pose_3d, H36M_17, clip.world.up_camera)
    for i, name in enumerate(about["angles"]):
        np.testing.assert_allclose(rows["angles"][:, i], true[name], atol=0.051)
    shown = {name.removeprefix("left_").removeprefix("right_") for name in about["angles"]}
    flexions = {f"{joint}_flexion" for joint in ("knee", "hip", "elbow", "shoulder")}
    assert shown == {*flexions, "trunk_lean"}


def test_given_angles_replace_the_computed_ones(
    tmp_path: Path, lifted: Make, walk: np.ndarray
) -> None:
    angles = {1: {"neck_tilt": np.arange(6.0)}}
    about, (first, second) = clip_of(written(tmp_path, lifted(walk, walk), angles=angles))
    assert about["angles"] == ["neck_tilt"]
    assert np.isnan(first["angles"]).all()
    np.testing.assert_allclose(second["angles"][:, 0], np.arange(6.0))


def test_a_place_far_away_coarsens_the_unit_and_a_runaway_is_left_out(
    tmp_path: Path, lifted: Make, walk: np.ndarray
) -> None:
    far = walk + np.array([300.0, 0.0, 0.0])
    about, (near, away) = clip_of(written(tmp_path, lifted(walk, far)))
    distance = away["pose"][0, 0] - near["pose"][0, 0]
    np.testing.assert_allclose(distance, (300.0, 0.0, 0.0), atol=about["unit_m"])
    long = np.tile(walk, (200, 1, 1))
    long[700, 5] = 1e7
    about, (person,) = clip_of(written(tmp_path, lifted(long)))
    assert about["unit_m"] == 0.001
    assert np.isnan(person["pose"][700, 5]).all()
    assert np.isfinite(person["pose"][699]).all()


def test_hostile_names_stay_names(tmp_path: Path, lifted: Make, walk: np.ndarray) -> None:
    clip = replace(lifted(walk), source=HOSTILE, positions=HOSTILE)
    page = written(tmp_path, clip, angles={0: {HOSTILE: np.zeros(6)}})
    about, _ = clip_of(page)
    assert about["angles"] == [HOSTILE]
    assert HOSTILE in about["placing"]
    # A path's name is its last part; what cannot be encoded becomes a question mark.
    assert page.found["title", ""] == HOSTILE.rpartition("/")[2].replace("\udcff", "?")
    ids = {("script", name) for name in ("clip", "rows", "film", "module")}
    assert set(page.found) == {*ids, ("style", ""), ("title", "")}


def test_the_policy_allows_the_pages_own_script_and_style_and_no_network(
    tmp_path: Path, lifted: Make, walk: np.ndarray
) -> None:
    page = written(tmp_path, lifted(walk))
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    for rule, element in (("script-src", ("script", "module")), ("style-src", ("style", ""))):
        digest = hashlib.sha256(page.found[element].encode()).digest()
        assert rules.pop(rule) == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert rules == {"default-src": "'none'", "img-src": "data:", "media-src": "blob:"}
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|@import|\bfetch\(|XMLHttp|{{", text)


def test_every_part_of_the_page_is_used() -> None:
    folder = files("auglift.outputs") / "viewer_page"
    names = {part.name for part in folder.iterdir()}
    assert names == {f"{name}.js" for name in SCRIPTS} | {"template.html", "viewer.css"}


@pytest.mark.parametrize("n_pictures", [0, 1, 3])
def test_nobody_is_a_page_too(tmp_path: Path, lifted: Make, n_pictures: int) -> None:
    about, people = clip_of(written(tmp_path, lifted(), pictures(n_pictures)))
    assert people == []
    assert about["frames"] == list(range(max(n_pictures, 1)))


def film_frames(data: str, folder: Path) -> list[Frame]:
    (folder / "film.mp4").write_bytes(base64.b64decode(data))
    return list(read_video(folder / "film.mp4"))


def test_the_film_has_the_pictures_at_their_times(tmp_path: Path) -> None:
    made = pictures(4, (1920, 81))
    made[2] = BrokenFrame(2, 0.2, BrokenFileError("torn"))  # type: ignore[call-overload]
    film = make_film(made, 10.0, {3: 0.45}, budget_mb=8.0)
    assert film.about == {"kind": "video"}
    assert film.times_s == {0: 0.0, 1: 0.1, 3: 0.45}
    shown = film_frames(film.data, tmp_path)
    np.testing.assert_allclose([frame.time_s for frame in shown], [0.0, 0.1, 0.45], atol=1e-4)
    assert shown[0].picture.shape == (40, 960, 3)


def test_pictures_without_times_follow_the_clips_rate() -> None:
    made = [frame._replace(time_s=np.nan) for frame in pictures(3)]
    assert make_film(made, 20.0, {}, 8.0).times_s == {0: 0.0, 1: 0.05, 2: 0.1}


def test_a_long_film_becomes_smaller_and_at_last_stills_within_the_budget() -> None:
    made = pictures(24, (640, 480))
    whole = make_film(made, 10.0, {}, budget_mb=100.0)
    smaller = make_film(made, 10.0, {}, budget_mb=len(whole.data) / 2e6)
    assert smaller.about["kind"] == "video"
    assert len(smaller.data) < len(whole.data) / 2
    stills = make_film(made, 10.0, {}, budget_mb=0.05)
    assert stills.about["kind"] == "stills"
    assert len(stills.data) < 0.051e6
    times = stills.about["times"]
    assert len(times) > 1
    np.testing.assert_allclose(np.diff(times), times[1])
    assert stills.times_s == whole.times_s


@pytest.mark.parametrize("wh", [(1, 1), (300, 200)])
def test_a_single_picture_is_a_still(wh: tuple[int, int]) -> None:
    film = make_film(pictures(1, wh), 10.0, {}, 8.0)
    assert film.about == {"kind": "stills", "times": [0.0]}
    (coded,) = json.loads(film.data)
    still = cv2.imdecode(np.frombuffer(base64.b64decode(coded), np.uint8), cv2.IMREAD_COLOR)
    assert still is not None
    assert still.shape[:2] == (max(wh[1], 2), max(wh[0], 2))
