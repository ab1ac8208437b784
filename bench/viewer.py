"""The HTML viewer in headless Chromium: its size, how fast it opens, and its script time per frame.

Ten people perform in the studio for 3,000 frames, seen by a camera, and become a page. Each frame
is drawn in its own animation frame, as when playing; `performance.now` stands around the draw.

The clip is played several times. What counts for a frame is its fastest draw: on a shared machine
the others were disturbed. `undisturbed` figures are of these, `all` of every draw.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from chromium import Chromium, find_chromium

from auglift.geometry.camera import Camera
from auglift.geometry.ground import level_world
from auglift.geometry.skeleton import H36M_17
from auglift.outputs.people3d import LiftedPeople, LiftedPerson
from auglift.outputs.viewer import write_viewer
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.motions import ACTIONS, make_motion

RATE_HZ = 30.0
IMAGE_WH = (1280, 720)
CAMERA = Camera(IMAGE_WH, np.array([1000.0, 1000.0]), np.array([640.0, 360.0]))
WORLD_TO_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
CAMERA_HEIGHT_M = 1.4
LIMIT_MS = 8.0

DRAW_ALL = """
new Promise((done) => {
  const {playback} = auglift, took = [], n = playback.times.length, step = Math.max(1, n / SHOWN);
  let i = 0;
  const next = () => {
    if (i >= n) return done(took);
    playback.timeS = playback.times[Math.floor(i)];
    i += step;
    const begin = performance.now();
    auglift.draw();
    took.push(performance.now() - begin);
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})
"""


def make_person(number: int, n_people: int, n_frames: int, seed: int) -> LiftedPerson:
    """Somebody who does one thing after another at his place in two rows before the camera."""
    rng = np.random.default_rng([seed, number])
    body, actions = draw_body(rng), sorted(ACTIONS)
    seconds = 10.0
    pieces: list[np.ndarray] = []
    while sum(map(len, pieces)) < n_frames:
        action = actions[(number + len(pieces)) % len(actions)]
        pieces.append(make_motion(action, body, rng, seconds, RATE_HZ).positions)
    world = np.concatenate(pieces)[:n_frames, STUDIO.indices(*H36M_17.joints)]
    root = world[:, :1] * (1.0, 1.0, 0.0)
    # Walks stay within a metre of the place.
    home = (1.3 * (number // 2 - n_people / 4), 6.0 + 2.0 * (number % 2), -CAMERA_HEIGHT_M)
    joints = (world - root + np.tanh(root - root[:1]) + home) @ WORLD_TO_CAMERA.T
    frame = np.arange(n_frames)
    return LiftedPerson(
        person=number + 1,
        frame=frame,
        time_s=frame / RATE_HZ,
        detected=rng.random(n_frames) > 0.02,
        pose_3d=joints - joints[:, :1],
        joints_2d=CAMERA.project(joints),
        confidence=rng.uniform(0.6, 1.0, joints.shape[:2]),
        root_m=joints[:, 0],
    )


def make_clip(n_people: int, n_frames: int, seed: int) -> LiftedPeople:
    """The clip with everybody."""
    return LiftedPeople(
        source="studio.mp4",
        skeleton=H36M_17,
        image_wh=IMAGE_WH,
        fps=RATE_HZ,
        lifter="truth",
        people=[make_person(i, n_people, n_frames, seed) for i in range(n_people)],
        camera=CAMERA,
        world=level_world(),
        positions="as performed in the studio",
    )


def measure(n_people: int, n_frames: int, shown: int, rounds: int, seed: int) -> dict[str, float]:
    """One page: megabytes, seconds to write and open, milliseconds of script per frame."""
    clip = make_clip(n_people, n_frames, seed)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "viewer.html"
        start = time.perf_counter()
        write_viewer(page, clip)
        write_s = time.perf_counter() - start
        with Chromium(Path(folder)) as browser:
            browser.screen(1280, 800)
            start = time.perf_counter()
            browser.open(page)
            open_s = time.perf_counter() - start
            script = DRAW_ALL.replace("SHOWN", str(shown))
            took_ms = np.array([browser.run(script) for _ in range(rounds)])
        best_ms = took_ms.min(axis=0)
        return {
            "people": n_people,
            "frames": n_frames,
            "page_mb": page.stat().st_size / 1e6,
            "write_s": write_s,
            "open_s": open_s,
            "undisturbed_p50_ms": float(np.median(best_ms)),
            "undisturbed_p99_ms": float(np.quantile(best_ms, 0.99)),
            "all_p50_ms": float(np.median(took_ms)),
            "all_p99_ms": float(np.quantile(took_ms, 0.99)),
            "frames_over_8_ms": int((best_ms > LIMIT_MS).sum()),
            "frames_shown": len(best_ms),
        }


def main() -> None:
    """Print a table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--shown", type=int, default=200, help="frames that are drawn")
    parser.add_argument("--rounds", type=int, default=5, help="times that each is drawn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if find_chromium() is None:
        print("no Chromium on this machine: nothing to measure")
        return
    found = [
        measure(n, options.frames, options.shown, options.rounds, options.seed) for n in (1, 10)
    ]
    if options.json:
        print(json.dumps({"viewer": found}))
        return
    for name in found[0]:
        print(f"{name:<20}" + "".join(f"{record[name]:>12.2f}" for record in found))


if __name__ == "__main__":
    main()
