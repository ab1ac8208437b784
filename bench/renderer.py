"""The studio's renderer: pictures per second, and how much the z-buffer saves.

One process. `pictures` are whole rendered lab pictures. `z_buffer` and `every_ray` are the search
for the nearest surfaces alone, on the same scene, which must agree. `bundles` and `frame_by_frame`
cast rays at up to 37 pixels around each of Human3.6M's 17 joints.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from auglift.geometry.camera import Camera
from auglift.geometry.descriptor import disc_pixels
from auglift.geometry.skeleton import H36M_17
from auglift.studio.bodies import STUDIO, draw_body
from auglift.studio.cameras import draw_cameras
from auglift.studio.motions import make_motion
from auglift.studio.places import LAB
from auglift.studio.rays import Slopes
from auglift.studio.renderer import cast_bundles, cast_rays, render
from auglift.studio.scene import Scene, dress
from auglift.studio.surroundings import draw_surroundings
from auglift.studio.view import Rays, look
from auglift.studio.zbuffer import Surfaces, nearest, nearest_of_all, picture_runs

N_FRAMES = 100


def make_take(n_people: int, size: float, seed: int) -> tuple[Scene, Camera]:
    """A lab scene of people who wave, side by side, and one of its cameras."""
    rng = np.random.default_rng(seed)
    bodies = [draw_body(rng) for _ in range(n_people)]
    seconds = N_FRAMES / LAB.rate_hz
    joints = [make_motion("wave", body, rng, seconds, LAB.rate_hz).positions for body in bodies]
    for i, path in enumerate(joints):
        path[..., 0] += 0.6 * (i - 0.5 * (n_people - 1))
    cameras = draw_cameras(LAB, np.stack(joints), LAB.rate_hz, rng, size=size)
    around = draw_surroundings(LAB, np.stack(joints), cameras, rng)
    people = tuple(dress(body, path) for body, path in zip(bodies, joints, strict=True))
    return Scene(people, around), cameras["north_east"][0]


def rate(work: Callable[[], object], n_done: int) -> float:
    """How many of `n_done` things per second, in the best of five runs."""
    best_s = np.inf
    for _ in range(5):
        start = time.perf_counter()
        work()
        best_s = min(best_s, time.perf_counter() - start)
    return float(n_done / best_s)


def measure_pictures(n_people: int, size: float, seed: int) -> dict[str, float]:
    """Pictures per second: all of it, the z-buffer alone, every solid on every ray."""
    take, camera = make_take(n_people, size, seed)
    scene = take.at(N_FRAMES // 2)
    width, height = camera.image_wh
    y, x = np.divmod(np.arange(width * height), width)
    rays = Rays(Slopes(*((np.stack([x, y]).T - camera.centre_px) / camera.focal_px).T))
    view = look(scene, [camera])

    def z_buffer() -> Surfaces:
        return nearest(view, rays, picture_runs(view, camera))

    if not (z_buffer().label == nearest_of_all(view, rays).label).all():
        raise SystemExit("the z-buffer and the rays see different things")
    found = {
        "people": n_people,
        "width_px": width,
        "pictures_per_s": rate(lambda: render(scene, camera, 0), 1),
        "z_buffer_per_s": rate(z_buffer, 1),
        "every_ray_per_s": rate(lambda: nearest_of_all(view, rays), 1),
    }
    return found | {"ratio": found["z_buffer_per_s"] / found["every_ray_per_s"]}


def measure_rows(n_people: int, seed: int) -> dict[str, float]:
    """Rows (one person in one frame) per second whose joints' discs are cast."""
    take, camera = make_take(n_people, 1.0, seed)
    joints = np.stack([person.joints for person in take.people], axis=1)
    points = camera.project_world(joints[:, :, STUDIO.indices(*H36M_17.joints)]).reshape(-1, 2)
    discs = disc_pixels(points, np.full(len(points), 12.0), camera.image_wh, at_most=37)
    instant = discs.owner // (n_people * H36M_17.n_joints)

    def frame_by_frame() -> None:
        for i in range(N_FRAMES):
            cast_rays(take.at(i), camera, discs.xy[instant == i])

    n_rows = N_FRAMES * n_people
    found = {
        "people": n_people,
        "rays_per_row": len(discs.xy) / n_rows,
        "bundles_per_s": rate(
            lambda: cast_bundles(take, [camera], discs.xy, discs.owner, instant), n_rows
        ),
        "frame_by_frame_per_s": rate(frame_by_frame, n_rows),
    }
    return found | {"ratio": found["bundles_per_s"] / found["frame_by_frame_per_s"]}


def main() -> None:
    """Print two tables, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = ((1, 0.25), (4, 0.25), (1, 1.0))
    pictures = [measure_pictures(*size, options.seed) for size in sizes]
    rows = [measure_rows(n_people, options.seed) for n_people in (1, 2)]
    if options.json:
        print(json.dumps({"pictures": pictures, "rows": rows}))
        return
    for table in (pictures, rows):
        print("".join(f"{name:>22}" for name in table[0]))
        for found in table:
            print("".join(f"{value:>22,.1f}" for value in found.values()))


if __name__ == "__main__":
    main()
