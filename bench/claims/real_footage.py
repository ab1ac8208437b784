"""Real clips through real small networks and any lifters: how steady the people are.

    python bench/claims/real_footage.py CLIPS/ WEIGHTS/ --lifter lift-small-xyc \\
        --lifter lift-small-casp -o docs/claims

In:  a folder of videos, a folder with the three ONNX networks of `NETWORKS`, and lifters by name
     (of the zoo, or runs below --root).
Out: a table on stdout; `real_footage.md` with it and a picture for each clip and lifter; all
     numbers in `real_footage.json`, for other pages; the clips' licence.

Nobody knows where these people's joints were: what is measured (`footage_measures.py`) is whether
bones keep their length, left equals right, the poses fall onto the picture, and how much they
tremble; before smoothing and after. What the networks see of a clip is kept in --work.

The depth network knows no metres: one factor for a clip gives its people a usual stature, as far as
an assumed camera lets them be seen. Lifters that look at depth get it so; nothing is placed by it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from footage_credits import LICENCE, has_known
from footage_credits import NETWORKS as CREDITED
from footage_measures import BEFORE, Found, MeasuredLifter, Row, measure, to_json
from footage_page import KEPT, PAGE, command, page, table

from auglift.detection.clip import detect_clip
from auglift.detection.detector import Detector
from auglift.detection.person_tracks import PersonTrack, columns_at, person_tracks
from auglift.detection.zoo_detector import open_detector
from auglift.geometry.camera import Camera
from auglift.geometry.smoothing import smooth
from auglift.lifting.choice import OpenedLifter, open_lifter
from auglift.lifting.lens import lens_of
from auglift.lifting.people import MEDIAN, SpaceOptions, place_person
from auglift.lifting.tracks import TrackToLift, lift_tracks
from auglift.outputs.contact_sheet import Tile, contact_sheet
from auglift.outputs.overlay import draw_overlay
from auglift.storage.atomic import replacing, write_text
from auglift.storage.fetch import file_sha256
from auglift.storage.pictures import write_picture
from auglift.storage.sources import open_source
from auglift.storage.video import read_video
from auglift.storage.workspace import Workspace

NETWORKS = tuple(CREDITED)
PERSON_WH = (320, 320)
DOCS = Path(__file__).resolve().parents[2] / "docs" / "claims"

SMOOTHING = (BEFORE, "butterworth")
MAX_GAP_S = 0.5
SHORTEST_S = 1.0
"""Who is seen for less is not measured."""

USUAL_STATURE_M = 1.7
JOINTS_OF_STATURE = 0.9
"""From the ankles to the eyes: about so much of a standing person's stature."""

TILES = 4
# Lifters that use the networks' features are no part of this.
TRACK_ARRAYS = tuple(f.name for f in fields(PersonTrack) if f.name not in ("person", "features"))


class SeenClip(NamedTuple):
    """A video and what the networks see in it."""

    path: Path
    image_wh: tuple[int, int]
    tracks: list[PersonTrack]


# ------------------------------------------------------------------------------ what is seen


def see(path: Path, weights: Path, work: Path) -> SeenClip:
    """Everybody in a video, from what was kept or by the networks."""
    kept = work / f"{path.stem}.npz"
    if not kept.is_file():
        source = open_source(path)
        clip = detect_clip(source, _networks(weights), 8, 25.0, lambda n: None)
        keep(kept, SeenClip(path, clip.image_wh, person_tracks(clip, MAX_GAP_S)))
    return kept_clip(kept, path)


@cache
def _networks(weights: Path) -> Detector:
    opened = open_detector(
        *(str(weights / name) for name in NETWORKS),
        device="cpu",
        options={"people": {"input_wh": PERSON_WH}},
    )
    return opened.detector


def keep(path: Path, clip: SeenClip) -> None:
    """Write the tracks of a clip."""
    arrays = {
        f"{track.person} {name}": getattr(track, name)
        for track in clip.tracks
        for name in TRACK_ARRAYS
    }
    with replacing(path) as temporary:
        np.savez_compressed(temporary, image_wh=np.array(clip.image_wh), **arrays)


def kept_clip(kept: Path, path: Path) -> SeenClip:
    """Read the tracks of a clip."""
    with np.load(kept) as file:
        people = sorted({int(key.split()[0]) for key in file.files if key != "image_wh"})
        tracks = [
            PersonTrack(person, **{name: file[f"{person} {name}"] for name in TRACK_ARRAYS})
            for person in people
        ]
        width, height = file["image_wh"].tolist()
    return SeenClip(path, (width, height), tracks)


def with_usual_depth(tracks: Sequence[PersonTrack], camera: Camera) -> list[PersonTrack]:
    """The tracks with their depths times the one factor that makes people of usual stature."""
    ratios = [np.zeros(0)]
    for track in tracks:
        y = track.joints_2d[..., 1][np.isfinite(track.joints_2d).all(axis=(1, 2))]
        if not len(y):
            continue
        height_px = float(np.median(np.ptp(y, axis=1)))
        distance_m = camera.focal_px[1] * JOINTS_OF_STATURE * USUAL_STATURE_M / height_px
        depth_m = track.depth_m[..., MEDIAN][track.depth_valid]
        ratios.append(distance_m / depth_m)
    ratio = np.concatenate(ratios)
    factor = float(np.median(ratio)) if len(ratio) else 1.0
    return [replace(track, depth_m=track.depth_m * factor) for track in tracks]


# ------------------------------------------------------------------------------ lifted and measured


def lift(clip: SeenClip, opened: OpenedLifter) -> list[np.ndarray]:
    """Everybody's poses (T, J, 3) as the lifter gives them."""
    lens = lens_of(clip.image_wh)
    tracks = with_usual_depth(clip.tracks, lens.camera)
    to_lift = [
        TrackToLift(
            track.time_s,
            track.columns_to_lift()["detected"],
            partial(columns_at, track, max_gap_s=MAX_GAP_S),
        )
        for track in tracks
    ]
    return lift_tracks(opened.lifter, to_lift, clip.image_wh, lens.intrinsics)


def rows(clip: SeenClip, opened: OpenedLifter, poses: Sequence[np.ndarray]) -> Iterator[Row]:
    """Everybody who is seen for long enough, before and after smoothing."""
    camera, lifter = lens_of(clip.image_wh).camera, opened.lifter
    for track, pose in zip(clip.tracks, poses, strict=True):
        if track.time_s[-1] - track.time_s[0] < SHORTEST_S:
            continue
        for smoothing in SMOOTHING:
            options = SpaceOptions(smoothing=smoothing)
            one = place_person(track, pose, camera, lifter.spec, lifter.skeleton, options)
            steadiness = measure(
                smooth(smoothing, track.time_s, pose),
                one.pose_3d + one.root_m[:, None],
                track.joints_2d,
                track.joint_confidence,
                track.time_s,
                camera,
                lifter.skeleton,
            )
            yield Row(opened.name, clip.path.stem, track.person, smoothing, steadiness)


# ------------------------------------------------------------------------------ for the eye


def draw(path: Path, clip: SeenClip, opened: OpenedLifter, poses: Sequence[np.ndarray]) -> None:
    """Frames from the whole clip, with the people drawn in and their smoothed poses beside them."""
    skeleton = opened.lifter.skeleton
    steady = [smooth(SMOOTHING[-1], t.time_s, p) for t, p in zip(clip.tracks, poses, strict=True)]
    last = max(int(track.frame[-1]) for track in clip.tracks)
    wanted = np.linspace(0, last, TILES + 2).round().astype(int)[1:-1].tolist()
    tiles = []
    for frame in read_video(clip.path, wanted=wanted):
        at = [
            (t, p, np.flatnonzero(t.frame == frame.i_frame))
            for t, p in zip(clip.tracks, steady, strict=True)
        ]
        here = [(t, p, int(i[0])) for t, p, i in at if len(i)]
        shape = (-1, skeleton.n_joints)
        picture = draw_overlay(
            frame.picture,
            np.reshape([t.joints_2d[i] for t, _, i in here], (*shape, 2)),
            np.reshape([t.joint_confidence[i] for t, _, i in here], shape),
            np.reshape([p[i] for _, p, i in here], (*shape, 3)),
            skeleton,
        )
        tiles.append(Tile(picture, f"{clip.path.stem}, frame {frame.i_frame}, {opened.name}"))
    write_picture(path, contact_sheet(tiles, columns=2, tile_height_px=420), jpeg_quality=85)


# ------------------------------------------------------------------------------ written


def facts(opened: OpenedLifter) -> MeasuredLifter:
    """What the page says of a lifter."""
    spec, frames = opened.lifter.spec, opened.lifter.model.receptive_field
    seen = "1 frame" if frames == 1 else f"{frames} frames"
    return MeasuredLifter(opened.name, f"{spec.arch}, {seen}", spec.uses_depth)


def write_page(folder: Path, found: Found, pictures: Sequence[str]) -> None:
    """The page, its numbers, and the licence of the clips whose pictures lie beside it."""
    if has_known(found.clips):
        write_text(folder / LICENCE, (DOCS / LICENCE).read_text(encoding="utf-8"))
    write_text(folder / KEPT, to_json(found))
    write_text(folder / PAGE, page(found, pictures))


def options() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, help="folder of .mp4 files")
    parser.add_argument("weights", type=Path, help="folder of the networks")
    parser.add_argument("--lifter", action="append", required=True, help="may be repeated")
    parser.add_argument("--root", type=Path, default=Path(), help="workspace of runs")
    parser.add_argument("--work", type=Path, default=Path("work_dirs/real_footage"))
    parser.add_argument("-o", "--output", type=Path, help="folder of the table and the pictures")
    return parser.parse_args()


def main() -> None:
    """Print the table; write the page, its numbers and the pictures."""
    typed = options()
    clips = [see(path, typed.weights, typed.work) for path in sorted(typed.clips.glob("*.mp4"))]
    lifters: list[MeasuredLifter] = []
    measured: list[Row] = []
    pictures: list[str] = []
    for name in typed.lifter:
        opened = open_lifter(Workspace(typed.root), name, has_depth=True)
        lifters.append(facts(opened))
        for clip in clips:
            poses = lift(clip, opened)
            measured += rows(clip, opened, poses)
            if typed.output is not None:
                file = f"{clip.path.stem}_{opened.name.replace('/', '_')}.jpg"
                draw(typed.output / file, clip, opened, poses)
                pictures.append(file)
    print(table(measured), end="")
    if typed.output is not None:
        again = command(typed.lifter, of_runs=typed.root != Path())
        hashes = {clip.path.stem: file_sha256(clip.path) for clip in clips}
        write_page(typed.output, Found(again, lifters, hashes, measured), sorted(pictures))


if __name__ == "__main__":
    main()
