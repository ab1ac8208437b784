"""The page of real footage: from tracks that are kept and a made-up lifter, and its sentences."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import footage_credits
import footage_page
import footage_words
import numpy as np
import pytest

from auglift.detection.person_tracks import PersonTrack
from auglift.geometry.camera import Camera
from auglift.lifting.choice import open_lifter
from auglift.lifting.lens import lens_of
from auglift.storage.fetch import file_sha256
from auglift.storage.pictures import read_picture
from auglift.storage.video_writer import write_video
from auglift.storage.workspace import Workspace

ROOT = Path(__file__).parents[3]
IMAGE_WH = (320, 240)
N_FRAMES = 40
CLAIMS = ROOT / "docs" / "claims"
MEASURES = ("bones", "left/right", "fit to the picture", "jitter")


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
    found = importlib.import_module("footage_measures").from_json(
        (tmp_path / "out" / "real_footage.json").read_text()
    )
    kinds = [(one.name, one.network.split(", ")[1], one.looks_at_depth) for one in found.lifters]
    assert kinds == [("small-casp", "9 frames", True), ("small-xyc", "9 frames", False)]
    assert found.clips == {"two": file_sha256(clip)}
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


# ------------------------------------------------------------------------------ its sentences


def make_found(levels: dict[str, tuple[float, ...]], networks: dict[str, str] | None = None) -> Any:
    """Four people of two clips; each lifter's bones, left/right, picture and jitter.

    Names with a d look at depth. Smoothing halves the jitter.
    """
    measures = importlib.import_module("footage_measures")
    rows = [
        measures.Row(
            name, clip, person, smoothing,
            measures.Steadiness(
                bones + person, "neck", 9.0, sides + person, 50.0, picture + person,
                (jitter + person) * share,
            ),
        )
        for name, (bones, sides, picture, jitter) in levels.items()
        for clip in ("one", "two")
        for person in (0, 1)
        for smoothing, share in (("none", 1.0), ("butterworth", 0.5))
    ]  # fmt: skip
    lifters = [
        measures.MeasuredLifter(name, (networks or {}).get(name, "tcn, 27 frames"), "d" in name)
        for name in levels
    ]
    return measures.Found("python x.py CLIPS", lifters, {"one": "1" * 64, "two": "2" * 64}, rows)


def verdict(each: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {side}" for name, side in zip(MEASURES, each, strict=True))


def test_it_says_who_is_steadiest_and_what_the_others_have_more() -> None:
    found = make_found({"xyc": (7.0, 4.0, 3.0, 14.0), "xycd": (8.5, 12.0, 2.0, 15.0)})
    bones, sides, picture, jitter, smoothed, _ = footage_words.what_it_shows(found)
    assert bones == (
        "Bones vary least with xyc, 7.5 %; xycd 9.0 (1.5 more; more for 4 of 4 people)."
    )
    assert sides.startswith("Left and right differ least with xyc, 4.5 %; xycd 12.5 (8.0 more;")
    assert picture.startswith("Poses lie least off the picture with xycd, 2.5 % of the height;")
    assert jitter.startswith("Joints tremble least with xyc, 14.5 m/s²; xycd 15.5 (1.0 more;")
    assert smoothed == (
        "Smoothing (butterworth) takes jitter, m/s², from 14.5 to 7.2 with xyc (−50 %), 15.5 to "
        "7.8 with xycd (−50 %); xyc then trembles least."
    )
    swapped = make_found({"xyc": (8.5, 12.0, 2.0, 15.0), "xycd": (7.0, 4.0, 3.0, 14.0)})
    leads = [sentence.split(",")[0] for sentence in footage_words.what_it_shows(swapped)[:4]]
    assert [lead.rsplit(" ", 1)[1] for lead in leads] == ["xycd", "xycd", "xyc", "xycd"]


def test_smoothing_may_make_it_worse() -> None:
    found = make_found({"xyc": (1.0, 1.0, 1.0, 10.0)})
    rows = [
        row._replace(steadiness=row.steadiness._replace(jitter_m_s2=12.0))
        if row.smoothing == "butterworth"
        else row
        for row in found.rows
    ]
    # One lifter is compared with nobody.
    assert footage_words.what_it_shows(found._replace(rows=rows)) == [
        "Smoothing (butterworth) takes jitter, m/s², from 10.5 to 12.0 with xyc (+14 %)."
    ]


@pytest.mark.parametrize(
    ("seeing", "even", "each", "why"),
    [
        ((9, 9, 9, 9), "less even", ("worse",) * 4, "which may be why"),
        ((1, 1, 1, 1), "more even", ("better",) * 4, "That is so although"),
        ((9, 9, 1, 5), "less even", ("worse", "worse", "better", "undecided"), "may be why"),
        ((1, 1, 9, 9), "more even", ("better", "better", "worse", "worse"), "so although"),
        ((9, 1, 5, 5), "neither more nor less even",
         ("worse", "better", "undecided", "undecided"), "neither for nor against depth"),
    ],
)  # fmt: skip
def test_depth_is_judged_by_the_signs(
    seeing: tuple[float, ...],
    even: str,
    each: tuple[str, ...],
    why: str,
) -> None:
    found = make_found({"xyc": (5, 5, 5, 5), "xycd": seeing})
    said = footage_words.what_it_shows(found)[-1]
    assert said.startswith(
        f"Lifters that look at depth (xycd) are {even} here than those that do not (xyc): "
        f"{verdict(each)} ("
    )
    assert (
        "The depth network knows no metres" in said or "the depth network knows no metres" in said
    )
    assert why in said
    assert "another network" not in said


def test_depth_is_undecided_where_lifters_or_people_disagree() -> None:
    found = make_found({"xyc": (5, 5, 5, 5), "xycd": (9, 9, 9, 9), "d": (9, 1, 9, 9)})
    assert verdict(("worse", "undecided", "worse", "worse")) in footage_words.depth(found)
    # Two of four people tremble much more, two a little less.
    close = make_found({"xyc": (5, 5, 5, 5), "xycd": (9, 9, 9, 9)})
    rows = [
        row._replace(steadiness=row.steadiness._replace(jitter_m_s2=4.0))
        if row.lifter == "xycd" and row.person == 0
        else row
        for row in close.rows
    ]
    said = footage_words.depth(close._replace(rows=rows))
    assert verdict(("worse", "worse", "worse", "undecided")) in said


def test_another_network_is_another_difference() -> None:
    found = make_found(
        {"xyc": (5, 5, 5, 5), "xycd": (9, 9, 9, 9), "based": (9, 9, 9, 9)},
        {"based": "vit, 9 frames"},
    )
    said = footage_words.depth(found)
    assert "based (vit, 9 frames) is also another network than xyc (tcn, 27 frames)" in said
    assert said.count("another network") == 1


def test_without_both_kinds_nothing_is_said_of_depth() -> None:
    for names in (("xy", "xyc"), ("xyd", "xycd")):
        found = make_found({name: (5, 5, 5, 5) for name in names})
        assert footage_words.depth(found) == ""


def test_other_pages_get_two_sentences(tmp_path: Path) -> None:
    kept = tmp_path / "real_footage.json"
    assert footage_words.summary(kept) == []
    found = make_found({"xyc": (7.0, 4.0, 3.0, 14.0), "xycd": (8.5, 12.0, 2.0, 15.0)})
    measures = importlib.import_module("footage_measures")
    kept.write_text(measures.to_json(found), encoding="utf-8")
    even, depth = footage_words.summary(kept)
    assert even == (
        "Of 4 people in 2 real clips, whose true joints nobody knows: before smoothing bones vary "
        "least with xyc, 7.5 %; xycd 9.0 (1.5 more; more for 4 of 4 people); left and right differ "
        "least with xyc, 4.5 %; xycd 12.5 (8.0 more; more for 4 of 4 people)."
    )
    assert depth == footage_words.what_it_shows(found)[-1]


# ------------------------------------------------------------------------------ command, credits


def test_the_command_on_the_page_makes_the_page(
    script: ModuleType,
    clip: Path,
    tmp_path: Path,
    lifter_zoo: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lifter_zoo({"small-casp": ("casp", 9, 50.0), "small-xyc": ("xyc", 9, 60.0)})
    typed = ["real_footage.py", str(clip.parent), "no networks", "--lifter", "small-xyc",
             "--lifter", "small-casp"]  # fmt: skip
    where = ["--work", str(tmp_path), "-o"]
    monkeypatch.setattr("sys.argv", [*typed, *where, str(tmp_path / "first")])
    script.main()
    page = (tmp_path / "first" / "real_footage.md").read_text()
    assert str(tmp_path) not in page
    shown = page.split("```bash\n")[1].split("```")[0].replace("\\\n", " ")
    folders = {"CLIPS": str(clip.parent), "WEIGHTS": "no networks"}
    words = [folders.get(word, word) for word in shlex.split(shown)]
    assert words[:2] == ["python", "bench/claims/real_footage.py"]
    assert words[-6:-4] == ["-o", "docs/claims"]
    # The last -o counts.
    monkeypatch.setattr("sys.argv", [*words[1:], *where, str(tmp_path / "again")])
    script.main()
    for name in ("real_footage.md", "real_footage.json"):
        first, again = ((tmp_path / folder / name).read_text() for folder in ("first", "again"))
        assert first == again
    for placeholder in folders:
        assert f"in the folder `{placeholder}`" in " ".join(page.split())
    for network in script.NETWORKS:
        assert f"| {network} |" in page


def test_runs_are_of_a_workspace() -> None:
    typed = footage_page.command(["runs/my own"], of_runs=True)
    assert shlex.split(typed.replace("\\\n", " "))[2:6] == ["CLIPS", "WEIGHTS", "--root", "ROOT"]
    assert shlex.split(typed)[-1] == "runs/my own"
    found = make_found({"xyc": (5, 5, 5, 5)})
    assert "runs of the workspace `ROOT`" in footage_page.page(found._replace(command=typed), [])
    assert "ROOT" not in footage_page.page(found, [])


def test_clips_are_credited_by_their_content(
    script: ModuleType,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = make_found({"xyc": (5, 5, 5, 5)})._replace(clips={"two": file_sha256(clip)})
    script.write_page(tmp_path / "theirs", found, [])
    page = (tmp_path / "theirs" / "real_footage.md").read_text()
    assert "| two.mp4 | not known here |" in page
    assert "perfanalytics" not in page
    assert not (tmp_path / "theirs" / "LICENSE-clips.txt").exists()
    credit = next(iter(footage_credits.CLIPS.values()))
    monkeypatch.setitem(footage_credits.CLIPS, file_sha256(clip), credit)
    script.write_page(tmp_path / "known", found, [])
    page = (tmp_path / "known" / "real_footage.md").read_text()
    assert f"| two.mp4 | {credit.what} | BSD-3-Clause, Copyright (c) 2022, perfanalytics." in page
    assert "](LICENSE-clips.txt)" in page
    licence = (tmp_path / "known" / "LICENSE-clips.txt").read_text()
    # What has to go with the pictures: the notice, the conditions, the disclaimer.
    for part in (
        "Copyright (c) 2022, perfanalytics",
        "3. Neither the name",
        "PROVIDED BY THE COPY",
    ):
        assert part in licence


def test_the_page_in_the_repository_is_made_of_its_numbers() -> None:
    """Text that changed is written again by `page(from_json(…), pictures)`, without any clip."""
    measures = importlib.import_module("footage_measures")
    found = measures.from_json((CLAIMS / "real_footage.json").read_text("utf-8"))
    pictures = sorted(path.name for path in CLAIMS.glob("*.jpg"))
    text = (CLAIMS / "real_footage.md").read_text("utf-8")
    assert text == footage_page.page(found, pictures)
    assert set(found.clips.values()) == footage_credits.CLIPS.keys()
    assert "not known here" not in text
