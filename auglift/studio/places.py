"""Named places that differ as real datasets do: what the cameras and the surroundings are like.

* `lab`: four fixed cameras in the corners of a motion-capture hall, long focal length, 50 Hz, like
  Human3.6M. The whole body stays inside the picture.
* `street`: one hand-held phone in portrait format that follows the people, wide angle, 2–4 m away,
  looking slightly down, never quite level and never quite still, 30 Hz, like 3DPW. Every root stays
  inside the picture; limbs may leave it.
* `wide`: the distribution to train on: focal length, distance, height, pitch, roll, format and
  place in the picture drawn widely; people may be truncated.
* `room`: the cameras of the project's first study of simulated depth, for comparison with it:
  2.5–6.5 m away, −10…35° down, 0.9–1.8 widths, people near the middle of a square picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from auglift.errors import unknown_name

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class SceneSpec:
    """What a named scene looks like; every range is (lowest, highest) of a uniform draw."""

    name: str
    rate_hz: float
    """The rate at which this scene's cameras record."""
    pictures_wh: tuple[tuple[int, int], ...]
    """Picture sizes to choose from."""
    focal_widths: Range
    """Focal length in picture widths."""
    distance_m: Range
    """Camera to the people's roots; in the lab, to the middle of the stage."""
    height_m: Range
    """Camera above the ground."""
    pitch_deg: Range
    """Looking down is positive."""
    roll_deg: Range
    radial: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tangential: tuple[float, float] = (0.0, 0.0)
    """Lens distortion (Human3.6M's formula), used where `draw_cameras` is asked for it."""
    free_m: Range
    """Floor between the people and the walls, beyond what the cameras need."""
    ceiling_m: Range | None
    """Height of the ceiling; None: open air."""
    clutter: tuple[int, int]
    """Least and greatest number of things that stand about behind and beside the people."""
    front_share: float
    """Share of the scenes in which one thing stands between a camera and the people."""
    off_centre: float = 0.0
    """How far from the picture's middle a `wide` camera may have people, in shares of its half."""


LAB = SceneSpec(
    name="lab",
    rate_hz=50.0,
    pictures_wh=((1000, 1000),),
    focal_widths=(1.145, 1.150),
    distance_m=(4.0, 6.0),
    height_m=(1.45, 1.65),
    pitch_deg=(3.0, 10.0),
    roll_deg=(-1.0, 1.0),
    # Human3.6M's camera 54138969.
    radial=(-0.207098910824901, 0.247775183068982, -0.00307515035078854),
    tangential=(-0.00142447157470321, -0.000975698859470499),
    free_m=(1.0, 2.0),
    ceiling_m=(3.5, 4.5),
    clutter=(3, 6),
    front_share=0.12,
)
STREET = SceneSpec(
    name="street",
    rate_hz=30.0,
    pictures_wh=((1080, 1920),),
    # A phone's main camera: 26 mm equivalent is 0.72 picture heights, hence 1.28 widths.
    focal_widths=(1.2, 1.4),
    distance_m=(2.0, 4.0),
    height_m=(1.2, 1.8),
    pitch_deg=(-5.0, 25.0),
    roll_deg=(-8.0, 8.0),
    free_m=(2.0, 6.0),
    ceiling_m=None,
    clutter=(4, 9),
    front_share=0.12,
)
WIDE = SceneSpec(
    name="wide",
    rate_hz=25.0,
    pictures_wh=((1000, 1000), (1280, 720), (720, 1280), (1024, 768), (768, 1024)),
    focal_widths=(0.7, 2.0),
    distance_m=(1.5, 8.0),
    height_m=(0.2, 3.0),
    pitch_deg=(-20.0, 60.0),
    roll_deg=(-15.0, 15.0),
    free_m=(0.5, 4.0),
    ceiling_m=(3.3, 6.0),
    clutter=(2, 8),
    front_share=0.12,
    off_centre=0.6,
)
ROOM = SceneSpec(
    name="room",
    rate_hz=25.0,
    pictures_wh=((1000, 1000),),
    focal_widths=(0.9, 1.8),
    distance_m=(2.5, 6.5),
    height_m=(0.5, 3.0),
    pitch_deg=(-10.0, 35.0),
    roll_deg=(-5.0, 5.0),
    free_m=(0.5, 4.0),
    ceiling_m=(3.3, 6.0),
    clutter=(2, 8),
    front_share=0.12,
    off_centre=0.15,
)
SCENES: dict[str, SceneSpec] = {spec.name: spec for spec in (LAB, STREET, WIDE, ROOM)}


def get_scene(name: str) -> SceneSpec:
    """The scene called `name`; an unknown name lists the known ones."""
    if name not in SCENES:
        raise unknown_name("scene", name, SCENES)
    return SCENES[name]
