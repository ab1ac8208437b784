"""The table of real footage, from tracks that are kept and a made-up lifter."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from auglift.detection.person_tracks import PersonTrack
from auglift.geometry.camera import Camera
from auglift.lifting.choice import open_lifter
from auglift.lifting.lens import lens_of
from auglift.storage.pictures import read_picture
from auglift.storage.video_writer import write_video
from auglift.storage.workspace import Workspace

ROOT = Path(__file__).parents[3]
IMAGE_WH = (320, 240)
N_FRAMES = 40


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "bench" / "claims"))
    return importlib.import_module("real_footage")


def make_track(person: int, first: int, last: int) -> PersonTrack:
    """Somebody who trembles on the spot."""
    with np.load(ROOT / "tests" / "golden" / "walk_poses.npz") as file:
        joints_m = file["joints_m"][0] - file["joints_m"][0, 0] + (0.0, 0.0, 4.0)
    camera = lens_of(IMAGE_WH).camera
    frame = np.arange(first, last)
    rng = np.random.default_rng(person)
    joints = camera.project(joints_m) + rng.normal(0.0, 0.5, (len(frame), 17, 2))
    return PersonTrack(
        person=person,
        frame=frame,
        time_s=frame / 25.0,
        detected=np.ones(len(frame), bool),
        joints_2d=joints,
        joint_confidence=np.full((len(frame), 17), 0.9),
        depth_m=np.full((len(frame), 17, 6), 9.0),
        depth_valid=np.ones((len(frame), 17), bool),
    )


@pytest.fixture
def clip(script: ModuleType, tmp_path: Path) -> Path:
    path = tmp_path / "clips" / "two.mp4"
    path.parent.mkdir()
    with write_video(path, fps=25.0) as video:
        for i in range(N_FRAMES):
            video.write(np.full((IMAGE_WH[1], IMAGE_WH[0], 3), 100, np.uint8), i / 25.0)
    tracks = [make_track(0, 0, N_FRAMES), make_track(1, 5, 12)]
    script.keep(tmp_path / "two.npz", script.SeenClip(path, IMAGE_WH, tracks))
    return path


def test_what_was_seen_is_kept(script: ModuleType, clip: Path, tmp_path: Path) -> None:
    seen = script.see(clip, tmp_path / "no networks", tmp_path)
    assert (seen.path, seen.image_wh) == (clip, IMAGE_WH)
    for track, other in zip(
        seen.tracks, [make_track(0, 0, N_FRAMES), make_track(1, 5, 12)], strict=True
    ):
        assert track.person == other.person
        for name in script.TRACK_ARRAYS:
            np.testing.assert_array_equal(getattr(track, name), getattr(other, name))


def test_a_usual_stature_gives_depth_its_scale(script: ModuleType) -> None:
    camera: Camera = lens_of(IMAGE_WH).camera
    (scaled,) = script.with_usual_depth([make_track(0, 0, N_FRAMES)], camera)
    assert np.ptp(scaled.depth_m) == 0.0
    # The person stands 4 m away; a stoop and raised arms make 10 % of it.
    assert scaled.depth_m.flat[0] == pytest.approx(4.0, rel=0.25)
    nobody_valid = make_track(0, 0, 3)
    nobody_valid.depth_valid[:] = False
    (same,) = script.with_usual_depth([nobody_valid], camera)
    assert same.depth_m.flat[0] == 9.0


def test_the_table_and_the_pictures(
    script: ModuleType,
    clip: Path,
    tmp_path: Path,
    lifter_zoo: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lifter_zoo({"small-casp": ("casp", 9, 50.0), "small-xyc": ("xyc", 9, 60.0)})
    monkeypatch.setattr(
        "sys.argv",
        ["real_footage.py", str(clip.parent), "no networks", "--work", str(tmp_path),
         "--lifter", "small-casp", "--lifter", "small-xyc", "-o", str(tmp_path / "out")],
    )  # fmt: skip
    script.main()
    text = capsys.readouterr().out
    page = (tmp_path / "out" / "real_footage.md").read_text()
    assert text in page
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert len({len(line) for line in lines}) == 1
    # Whoever is seen for a quarter of a second is not measured.
    people = [line[:4] for line in lines[6:]]
    assert people == [
        [lifter, "two", "0", smoothing]
        for lifter in ("small-casp", "small-xyc")
        for smoothing in ("none", "butterworth")
    ]
    assert [line[:3] for line in lines[2:6]] == [
        [f"**{lifter}**", "all", "1 people"]
        for lifter in ("small-casp", "small-xyc")
        for _ in range(2)
    ]
    for before, after in (lines[6:8], lines[8:10]):
        assert float(after[-1]) < float(before[-1])  # less jitter
    for lifter in ("small-casp", "small-xyc"):
        assert read_picture(tmp_path / "out" / f"two_{lifter}.jpg").shape[0] > 400
        assert f"](two_{lifter}.jpg)" in page


def test_the_numbers_are_those_of_the_measures(
    script: ModuleType, clip: Path, tmp_path: Path, lifter_zoo: Callable[..., Path]
) -> None:
    lifter_zoo({"small-xyc": ("xyc", 9, 60.0)})
    opened = open_lifter(Workspace(tmp_path), "small-xyc", has_depth=True)
    seen = script.see(clip, tmp_path, tmp_path)
    poses = script.lift(seen, opened)
    assert [pose.shape for pose in poses] == [(N_FRAMES, 17, 3), (7, 17, 3)]
    before, _ = script.rows(seen, opened, poses)
    measures = importlib.import_module("footage_measures")
    variation = measures.bone_variation(poses[0], opened.lifter.skeleton)
    assert before.steadiness.bones_percent == pytest.approx(100 * np.nanmean(variation))
