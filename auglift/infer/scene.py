"""People who were tracked → people in space: poses, places and expected errors.

What all inputs have in common. In: a `PersonTrack` for each person, and the `Scene` around them.
Out: `LiftedPeople`, at the tracks' own times.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auglift.detection.person_tracks import PersonTrack, columns_at
from auglift.infer.config import SMOOTHING, InferConfig
from auglift.lifting.choice import OpenedLifter
from auglift.lifting.lens import Lens, lens_of
from auglift.lifting.people import PlacedPerson, SpaceOptions, place_people
from auglift.lifting.tracks import TrackToLift, lift_tracks
from auglift.outputs.people3d import UNKNOWN_POSITIONS, LiftedPeople, LiftedPerson
from auglift.storage.exif import focal_35mm


@dataclass(frozen=True)
class Scene:
    """What is known of a clip besides the people in it."""

    name: str
    image_wh: tuple[int, int]
    fps: float
    lens: Lens
    has_metric_depth: bool


def find_lens(config: InferConfig, path: Path | None, image_wh: tuple[int, int]) -> Lens:
    """The camera as it is given, as a photo says, or assumed."""
    return lens_of(
        image_wh,
        intrinsics=config.intrinsics,
        fov_deg=config.fov_deg,
        focal_35mm=focal_35mm(path) if path is not None and path.is_file() else None,
    )


def lift_people(
    scene: Scene, tracks: list[PersonTrack], opened: OpenedLifter, config: InferConfig
) -> LiftedPeople:
    """Everybody's poses, places and expected errors."""
    lifter, camera = opened.lifter, scene.lens.camera
    to_lift = [_track_to_lift(track, config.max_gap_s) for track in tracks]
    poses = lift_tracks(lifter, to_lift, scene.image_wh, scene.lens.intrinsics)
    options = SpaceOptions(
        smoothing=SMOOTHING[config.smooth or "butterworth"],
        height_m=config.height_m,
        has_metric_depth=scene.has_metric_depth,
        up="z" if config.up == "z" else "y",
    )
    placed = place_people(tracks, poses, camera, lifter.spec, lifter.skeleton, options)
    people = [_person(*pair) for pair in zip(tracks, placed.people, strict=True)]
    return LiftedPeople(
        source=scene.name,
        skeleton=lifter.skeleton,
        image_wh=scene.image_wh,
        fps=scene.fps,
        lifter=opened.name,
        people=people,
        camera=camera,
        world=placed.world,
        positions=f"{placed.how}; {scene.lens.how}" if people else UNKNOWN_POSITIONS,
    )


def _track_to_lift(track: PersonTrack, max_gap_s: float) -> TrackToLift:
    """The lifter's view of a track; what the tracker left empty is a gap."""
    is_known = track.columns_to_lift()["detected"]
    # Pictures that are farther apart than a gap may be are no gaps themselves.
    step_s = float(np.diff(track.time_s).max(initial=0.0))
    reach_s = max(max_gap_s, step_s)
    return TrackToLift(track.time_s, is_known, lambda at_s: columns_at(track, at_s, reach_s))


def _person(track: PersonTrack, placed: PlacedPerson) -> LiftedPerson:
    return LiftedPerson(
        person=track.person,
        frame=track.frame,
        time_s=track.time_s,
        detected=track.detected,
        pose_3d=placed.pose_3d,
        joints_2d=track.joints_2d,
        confidence=track.joint_confidence,
        root_m=placed.root_m,
        uncertainty_m=placed.uncertainty_m,
    )
