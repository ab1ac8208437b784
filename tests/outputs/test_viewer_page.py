"""The viewer in a real browser: what is on the page works by mouse, touch and keyboard."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglift.geometry.skeleton import H36M_17
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.outputs.viewer import write_viewer
from auglift.storage.frames import Frame

DRIVER = Path(__file__).parents[2] / "bench" / "chromium.py"
GOLDEN = Path(__file__).parents[1] / "golden"
N_FRAMES = 40
WH = (320, 240)
STRIPE_PX = 8
TIMES_S = np.cumsum(np.where(np.arange(N_FRAMES) % 2, 0.06, 0.04)) - 0.04  # no even rate
HOSTILE = "</script><img src=x onerror=window.hacked=1>.mp4"

SPACE, DRAWN = "document.getElementById('space')", "document.getElementById('drawn')"

pytestmark = pytest.mark.slow


def load_driver() -> Any:
    spec = importlib.util.spec_from_file_location("chromium", DRIVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = load_driver()
    if driver.find_chromium() is None:
        pytest.skip("no Chromium on this machine")
    with driver.Chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


def make_person(number: int) -> LiftedPerson:
    """Somebody who walks on the spot; the second comes late and leaves early."""
    with np.load(GOLDEN / "walk_poses.npz") as file:
        walk = file["joints_m"]
    frame = np.arange(N_FRAMES)[number * 10 : N_FRAMES - number * 10]
    joints = walk[frame % len(walk)] + np.array([1.5 * number, 0.0, 0.5 * number])
    return LiftedPerson(
        person=number + 3,
        frame=frame,
        time_s=TIMES_S[frame],
        detected=np.ones(len(frame), bool),
        pose_3d=joints - joints[:, :1],
        joints_2d=(joints - joints[0, 0])[..., :2] * 80 + 120,
        confidence=np.ones(joints.shape[:2]),
        root_m=joints[:, 0],
    )


def make_clip() -> LiftedPeople:
    people = [make_person(0), make_person(1)]
    return LiftedPeople(HOSTILE, H36M_17, WH, 20.0, "run", people, positions=HOSTILE)


def pictures() -> Iterator[Frame]:
    """Each frame has a white stripe at its own place."""
    for i, time_s in enumerate(TIMES_S):
        picture = np.full((WH[1], WH[0], 3), 40, np.uint8)
        picture[:, i * STRIPE_PX : (i + 1) * STRIPE_PX] = 255
        yield Frame(i, float(time_s), picture)


def noise() -> Iterator[Frame]:
    """Pictures that no codec makes small."""
    rng = np.random.default_rng(0)
    for i, time_s in enumerate(TIMES_S):
        yield Frame(i, float(time_s), rng.integers(0, 255, (WH[1], WH[0], 3), np.uint8))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("viewer") / "viewer.html"
    write_viewer(path, make_clip(), pictures())
    return path


@pytest.fixture
def viewer(browser: Any, page: Path) -> Iterator[Any]:
    """The page anew, at its first frame; nothing may have complained when a test ends."""
    browser.screen(1280, 800)
    browser.complaints.clear()
    browser.open(page)
    yield browser
    assert browser.complaints == []


def looks(browser: Any, canvas: str = SPACE) -> str:
    """All that is on a canvas."""
    browser.settle()
    return str(browser.run(f"{canvas}.toDataURL()"))


def middle_of(browser: Any, element: str) -> tuple[float, float]:
    box = browser.run(
        f"JSON.stringify(document.getElementById('{element}').getBoundingClientRect())"
    )
    box = json.loads(box)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def box_of(browser: Any, selector: str) -> dict[str, float]:
    box = f"document.querySelector('{selector}').getBoundingClientRect()"
    return dict(json.loads(browser.run(f"JSON.stringify({box})")))


def wait_for(browser: Any, condition: str) -> None:
    browser.run(
        f"""new Promise((done, failed) => {{
          const end = performance.now() + 20000;
          const look = () => ({condition}) ? done(true)
            : performance.now() > end ? failed(new Error('never')) : setTimeout(look, 20);
          look();
        }})"""
    )


def shown_stripe(browser: Any) -> int:
    """Which frame's stripe the film shows."""
    return int(
        browser.run(
            f"""(() => {{
              const canvas = new OffscreenCanvas({WH[0]}, {WH[1]});
              const context = canvas.getContext('2d');
              context.drawImage(document.querySelector('video'), 0, 0);
              const row = context.getImageData(0, 120, {WH[0]}, 1).data;
              let best = 0;
              for (let x = 0; x < {WH[0]}; x++) if (row[4 * x] > row[4 * best]) best = x;
              return Math.floor(best / {STRIPE_PX});
            }})()"""
        )
    )


def test_everything_is_there_and_has_a_name(viewer: Any) -> None:
    controls = viewer.run(
        """[...document.querySelectorAll('button, input, select, canvas[role], section')].map(
          (e) => e.ariaLabel || (e.closest('label') ?? e).textContent.trim() || e.outerHTML)"""
    )
    assert not [name for name in controls if name.startswith("<")]
    assert viewer.run("document.querySelectorAll('.plot').length") == 5
    assert viewer.run("[...document.querySelectorAll('.chip')].map((c) => c.textContent)") == [
        "Person 3",
        "Person 4",
    ]
    # The keyboard reaches the transport, the scene and the people.
    reached = set()
    for _ in range(20):
        viewer.key("Tab")
        reached.add(viewer.run("document.activeElement.id || document.activeElement.type"))
    assert {"play", "scrubber", "speed", "space", "checkbox", "chosen", "theme"} <= reached


def test_names_stay_names(viewer: Any) -> None:
    assert viewer.run("document.title") == HOSTILE.rpartition("/")[2]
    assert viewer.run("document.getElementById('placing').textContent") == (
        f"Places: {HOSTILE}. Grid 1 m."
    )
    assert viewer.run("[window.hacked === undefined, document.querySelectorAll('img').length]") == [
        True,
        0,
    ]


def test_the_numbers_arrive_as_they_were_sent(viewer: Any) -> None:
    for index, row in ((0, 7), (1, 0), (1, 19)):
        place = "auglift.scene.place(auglift.clip.people[{}], {}, {})"
        at = np.array([viewer.run(place.format(index, row, joint)) for joint in range(17)])
        person = make_clip().people[index]
        turned = person.pose_3d[row] * (1.0, -1.0, -1.0)
        np.testing.assert_allclose(at - at[0], turned - turned[0], atol=1.1e-3)


def test_scrubbing_changes_the_pose_the_picture_and_the_angles(viewer: Any) -> None:
    before = looks(viewer), looks(viewer, DRAWN), viewer.run("plots.textContent")
    viewer.run(
        """scrubber.value = 23; scrubber.dispatchEvent(new Event('input', {bubbles: true}))"""
    )
    after = looks(viewer), looks(viewer, DRAWN), viewer.run("plots.textContent")
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert viewer.run("frame.textContent") == "frame 23"
    assert viewer.run("scrubber.getAttribute('aria-valuetext')").startswith("frame 23")


def test_the_film_shows_the_frame_that_is_stepped_to(viewer: Any) -> None:
    wait_for(viewer, "document.querySelector('video').readyState >= 2")
    for keys, expected in ((("End",), 39), (("Home", *["ArrowRight"] * 3), 3), (("ArrowLeft",), 2)):
        for key in keys:
            viewer.key(key)
        assert viewer.run("auglift.playback.iFrame") == expected
        wait_for(viewer, "!document.querySelector('video').seeking")
        viewer.settle()
        assert shown_stripe(viewer) == expected


def test_the_scrubber_steps_by_one_frame_when_it_has_the_focus(viewer: Any) -> None:
    viewer.run("scrubber.focus()")
    viewer.key("ArrowRight")
    assert viewer.run("auglift.playback.iFrame") == 1
    viewer.key("ArrowRight", modifiers=8)
    assert viewer.run("auglift.playback.timeS") == pytest.approx(TIMES_S[1] + 1.0, abs=1e-3)


def test_playing_moves_on_and_ends_at_the_last_frame(viewer: Any) -> None:
    assert viewer.run("play.ariaLabel") == "Play"
    viewer.key(" ")
    assert viewer.run("play.ariaLabel") == "Pause"
    wait_for(viewer, "auglift.playback.iFrame > 3")
    viewer.key(" ")
    paused = viewer.run("auglift.playback.iFrame")
    viewer.settle()
    assert viewer.run("auglift.playback.iFrame") == paused
    viewer.key("]")
    viewer.key("]")
    assert viewer.run("[speed.value, document.querySelector('video').playbackRate]") == ["2", 2]
    viewer.key(" ")
    wait_for(viewer, "!auglift.playback.playing")
    assert viewer.run("frame.textContent") == f"frame {N_FRAMES - 1}"
    assert viewer.run("play.ariaLabel") == "Play"


def test_it_plays_without_a_film(browser: Any, tmp_path: Path) -> None:
    write_viewer(tmp_path / "a.html", make_clip())
    browser.open(tmp_path / "a.html")
    browser.key(" ")
    wait_for(browser, "!auglift.playback.playing && auglift.playback.iFrame === 39")
    assert browser.complaints == []


def test_people_can_be_hidden_by_key_and_by_box(viewer: Any) -> None:
    viewer.run("auglift.playback.seek(auglift.clip.times[20])")
    both = looks(viewer), looks(viewer, DRAWN)
    viewer.key("2")
    one = looks(viewer), looks(viewer, DRAWN)
    assert both[0] != one[0]
    assert both[1] != one[1]
    assert viewer.run("auglift.clip.people.map((p) => p.box.checked)") == [True, False]
    viewer.run("auglift.clip.people[0].box.click()")
    assert looks(viewer) not in (both[0], one[0])
    viewer.key("0")
    assert (looks(viewer), looks(viewer, DRAWN)) == both


def test_somebody_is_there_in_his_own_frames_only(viewer: Any) -> None:
    viewer.run("auglift.showPerson(auglift.clip.people[0], false)")
    empty = looks(viewer)
    there = []
    for i_frame in (9, 10, 29, 30):
        viewer.run(f"auglift.playback.seek(auglift.clip.times[{i_frame}])")
        there.append(looks(viewer) != empty)
    assert there == [False, True, True, False]


def test_the_mouse_turns_moves_and_zooms_the_scene(viewer: Any) -> None:
    x, y = middle_of(viewer, "space")
    azimuth, distance = viewer.run("[auglift.orbit.azimuth, auglift.orbit.distance]")
    before = looks(viewer)
    viewer.mouse([(x, y), (x + 60, y), (x + 90, y)])
    assert viewer.run("auglift.orbit.azimuth") == pytest.approx(azimuth - 90 * 0.008)
    assert looks(viewer) != before
    viewer.mouse([(x, y)], wheel=-100)
    assert viewer.run("auglift.orbit.distance") < distance
    viewer.key("f")
    assert viewer.run("auglift.orbit.distance") > 0.5 * distance
    for key in ("c", "x", "t"):
        seen = looks(viewer)
        viewer.key(key)
        assert looks(viewer) != seen


def test_a_drag_over_a_plot_seeks(viewer: Any) -> None:
    box = box_of(viewer, ".area")
    viewer.mouse([(box["x"] + 60, box["y"] + 20), (box["x"] + box["width"] - 1, box["y"] + 20)])
    assert viewer.run("auglift.playback.iFrame") >= N_FRAMES - 2


def test_following_keeps_the_chosen_person_in_the_middle(viewer: Any) -> None:
    viewer.key("n")
    viewer.key("g")
    viewer.run("auglift.playback.seek(auglift.clip.times[15])")
    viewer.settle()
    root = viewer.run("auglift.scene.place(auglift.clip.people[1], 5, auglift.clip.root)")
    target = viewer.run("auglift.orbit.target")
    assert (target[0], target[2]) == pytest.approx((root[0], root[2]))
    assert viewer.run("chosen.value") == "1"


def test_light_and_dark_follow_the_system_and_the_button(viewer: Any) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light = viewer.run(paper), looks(viewer)
    viewer.screen(1280, 800, dark=True)
    dark = viewer.run(paper), looks(viewer)
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    viewer.run("theme.click()")
    assert (viewer.run(paper), looks(viewer)) == light


def test_a_phone_shows_all_of_it_and_two_fingers_zoom(viewer: Any) -> None:
    viewer.screen(390, 844, phone=True)
    viewer.settle()
    assert viewer.run("document.documentElement.scrollWidth") <= 390
    _, y = middle_of(viewer, "play")
    assert 0 < y < 844
    sizes = viewer.run(
        """[...document.querySelectorAll('#transport button, .views button, .chip')].map((e) =>
          e.getBoundingClientRect().height)"""
    )
    assert min(sizes) >= 36
    x, y = middle_of(viewer, "space")
    distance, azimuth = viewer.run("[auglift.orbit.distance, auglift.orbit.azimuth]")
    fingers = [[(x - reach, y), (x + reach, y)] for reach in (20, 30, 40)]
    viewer.touch(fingers)
    assert viewer.run("auglift.orbit.distance") == pytest.approx(distance / 2, rel=0.05)
    viewer.touch([[(x, y)], [(x + 20, y)], [(x + 50, y)]])
    assert viewer.run("auglift.orbit.azimuth") < azimuth
    viewer.screen(1280, 800)


def test_a_phone_on_its_side_scrolls_down_to_the_plots(viewer: Any) -> None:
    viewer.screen(844, 390, phone=True)
    assert viewer.run("document.documentElement.scrollWidth") <= 844
    viewer.run("scrollTo(0, document.documentElement.scrollHeight)")
    viewer.settle()
    last = viewer.run(
        "[...document.querySelectorAll('.plot')].pop().getBoundingClientRect().bottom"
    )
    assert 0 < last <= 390
    assert 0 < middle_of(viewer, "play")[1] < 390
    viewer.screen(1280, 800)


@pytest.mark.parametrize("kind", ["stills", "none", "nobody"])
def test_pages_of_every_kind_open(browser: Any, tmp_path: Path, kind: str) -> None:
    clip = replace(make_clip(), people=[]) if kind == "nobody" else make_clip()
    frames = {"stills": noise(), "none": None, "nobody": pictures()}[kind]
    write_viewer(tmp_path / "a.html", clip, frames, budget_mb=0.1)
    browser.complaints.clear()
    browser.open(tmp_path / "a.html")
    browser.key("End")
    for key in "123fcxtgnl?wasd+-[]":
        browser.key(key)
    if kind == "stills":
        source = "document.querySelector('#picture img').src"
        last = browser.run(source)
        browser.key("Home")
        assert browser.run(source) != last
    assert browser.run("keys.hidden") is False
    assert browser.complaints == []
