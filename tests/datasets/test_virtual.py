"""What the studio films, read back: the truth, to the last digit that a table keeps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from auglift.datasets import virtual
from auglift.datasets.options import DatasetOptions
from auglift.datasets.virtual import list_sequences, read_sequence
from auglift.errors import BrokenFileError, MissingDataError, SchemaError
from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import H36M_17
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import write_table
from auglift.storage.tables import read_table
from auglift.storage.video import read_video
from auglift.studio import capture
from auglift.studio.capture import CapturePlan, capture_take, plan_takes, stage_take
from auglift.studio.renderer import render

RATE_HZ = 30.0
OPTIONS = DatasetOptions()


def film(folder, scene, people, n_frames):
    plan = CapturePlan(
        scene=scene,
        subjects={"S1": "train", "S2": "test"},
        actions=("walk",),
        seconds=n_frames / RATE_HZ,
        rate_hz=RATE_HZ,
        size=0.06,
        people=people,
        seed=3,
    )
    capture.write_dataset_file(folder, plan)
    for take in plan_takes(plan):
        capture_take(folder, plan, take)
    return plan


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    folder = tmp_path_factory.mktemp("street") / "virtual_data"
    return folder, film(folder, "street", people=1, n_frames=5)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab") / "virtual_data"
    return folder, film(folder, "lab", people=2, n_frames=3)


@pytest.fixture
def mine(tmp_path):
    """A dataset to break."""
    film(tmp_path, "street", people=1, n_frames=2)
    return tmp_path


def read_all(folder, every=1):
    return [
        read_sequence(folder, sequence, every, OPTIONS)
        for sequence in list_sequences(folder, OPTIONS)
    ]


def truth_of(plan, sequence):
    """Joints (P, T, 17, 3) in the world and the camera's track, from the studio itself."""
    (take,) = [t for t in plan_takes(plan) if t.subject == sequence.subject]
    staged = stage_take(plan, take)
    return staged.joints[:, :, : H36M_17.n_joints], staged.cameras[sequence.id.camera_name]


def test_both_rooms_speak_of_one_format():
    assert (virtual.FORMAT, virtual.VERSION) == (capture.FORMAT, capture.VERSION)


def test_one_sequence_for_every_camera_of_every_take(lab):
    sequences = list_sequences(lab[0], OPTIONS)
    assert {s.name: s.split for s in sequences} == {
        f"virtual/{subject}/walk_0/{camera}": split
        for subject, split in (("S1", "train"), ("S2", "test"))
        for camera in ("north_east", "south_east", "north_west", "south_west")
    }


@pytest.mark.parametrize("dataset", ["street", "lab"])
def test_what_is_read_is_the_truth(dataset, request):
    folder, plan = request.getfixturevalue(dataset)
    for sequence in read_all(folder):
        world, track = truth_of(plan, sequence)
        n_people, n_frames = world.shape[:2]
        assert sequence.person.tolist() == [p for p in range(n_people) for _ in range(n_frames)]
        assert sequence.frame.tolist() == list(range(n_frames)) * n_people
        for row, (person, frame) in enumerate(zip(sequence.person, sequence.frame, strict=True)):
            in_camera = track[frame].to_camera(world[person, frame])
            assert np.allclose(sequence.pose_3d[row], in_camera, rtol=0, atol=1e-9)
            pixels = track[frame].project(in_camera)
            assert np.allclose(sequence.keypoints_2d[row], pixels, rtol=0, atol=1e-9)
        assert sequence.reprojection_px().max() < 1e-9
        assert sequence.skeleton is H36M_17
        assert (sequence.fps, sequence.action) == (RATE_HZ, "walk")


@pytest.mark.parametrize("dataset", ["street", "lab"])
def test_the_table_keeps_the_truth(dataset, request, tmp_path):
    folder, plan = request.getfixturevalue(dataset)
    sequences = sorted(read_all(folder), key=lambda s: s.id.name)
    columns = [sequence.columns() for sequence in sequences]
    metadata = TableMetadata(
        kind="annotations", skeleton="h36m_17", fps=RATE_HZ, dataset="virtual", distortion="none"
    )
    path = tmp_path / "annotations.parquet"
    write_table(path, metadata, {n: np.concatenate([c[n] for c in columns]) for n in columns[0]})
    table = read_table(path, "annotations")
    by_name = {sequence.id.name: sequence for sequence in sequences}
    for track in table.tracks():
        rows = table.select(track.rows)
        sequence = by_name[track.sequence]
        world, cameras = truth_of(plan, sequence)
        poses = np.stack(
            [c.to_camera(x) for c, x in zip(cameras, world[track.person], strict=True)]
        )
        seen = rows["visible"]
        assert seen.mean() > 0.8
        assert np.abs(rows["pose_3d"] - poses)[seen].max() < 1e-6
        pixels = np.stack([c.project(x) for c, x in zip(cameras, poses, strict=True)])
        assert np.abs(rows["keypoints_2d"] - pixels)[seen].max() < 1e-3
        assert (rows["time_s"] == rows["frame"] / RATE_HZ).all()
        assert set(rows["split"]) == {{"S1": "train", "S2": "test"}[sequence.subject]}
        # The camera that the table holds sees what the table says it sees.
        for row in range(len(rows)):
            camera = Camera.from_intrinsics(
                rows["intrinsics"][row],
                tuple(rows["image_wh"][row]),
                "none",
                rows["rotation"][row],
                rows["translation"][row],
            )
            error_px = camera.project(rows["pose_3d"][row]) - rows["keypoints_2d"][row]
            assert np.abs(error_px[seen[row]]).max() < 1e-3
            back = camera.to_world(rows["pose_3d"][row])
            error_m = back - world[track.person, rows["frame"][row]]
            assert np.abs(error_m[seen[row]]).max() < 2e-6


def test_the_phone_moves_and_the_lab_stands_still(street, lab):
    for sequence in read_all(street[0]):
        centres = np.array([camera.centre for camera in sequence.cameras])
        assert (np.linalg.norm(np.diff(centres, axis=0), axis=-1) > 1e-4).all()
    for sequence in read_all(lab[0]):
        assert np.ptp([camera.centre for camera in sequence.cameras], axis=0).max() == 0


@pytest.mark.parametrize("every", [2, 3])
def test_every_kth_frame_is_the_same_frame(street, every):
    for all_frames, some in zip(read_all(street[0]), read_all(street[0], every), strict=True):
        assert some.frame.tolist() == list(range(0, 5, every))
        assert (some.pose_3d == all_frames.pose_3d[::every]).all()
        assert (some.keypoints_2d == all_frames.keypoints_2d[::every]).all()
        for camera, same in zip(some.cameras, all_frames.cameras[::every], strict=True):
            assert (camera.centre == same.centre).all()
        assert some.columns()["time_s"] == pytest.approx(some.frame / RATE_HZ)


def test_the_video_has_the_frames_of_the_truth_and_shows_them(street):
    folder, plan = street
    for sequence in read_all(folder):
        frames = list(read_video(folder / sequence.source))
        assert [frame.i_frame for frame in frames] == sequence.frame.tolist()
        assert [frame.time_s for frame in frames] == pytest.approx(
            sequence.frame / RATE_HZ, abs=1e-3
        )
        take = next(t for t in plan_takes(plan) if t.subject == sequence.subject)
        staged = stage_take(plan, take)
        for frame, camera in zip(frames, sequence.cameras, strict=True):
            assert frame.picture.shape[1::-1] == camera.image_wh
            wanted = render(staged.scene.at(frame.i_frame), camera, seed=0).rgb
            # Blue is dithered with another seed.
            assert (frame.picture[..., :2] == wanted[..., :2]).all()


def test_joints_outside_the_picture_are_not_vouched_for(mine):
    path = mine / "S1/walk_0/truth.npz"
    with np.load(path) as arrays:
        truth = dict(arrays)
    truth["joints"][:, 0, H36M_17.index("left_wrist"), 2] += 9.0
    np.savez(path, **truth)
    (sequence,) = [s for s in read_all(mine) if s.subject == "S1"]
    left, right = (H36M_17.index(f"{side}_wrist") for side in ("left", "right"))
    assert sequence.visible[:, left].tolist() == [False, True]
    assert sequence.visible[:, right].tolist() == [True, True]
    columns = sequence.columns()
    assert np.isnan(columns["keypoints_2d"][0, left]).all()
    assert np.isnan(columns["pose_3d"][0, left]).all()
    assert np.isfinite(columns["pose_3d"][0, right]).all()


# --- files that are not what they should be


def test_no_dataset_there(tmp_path):
    with pytest.raises(MissingDataError, match="auglift film"):
        list_sequences(tmp_path, OPTIONS)


def test_a_dataset_of_another_version(mine):
    path = mine / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    with pytest.raises(SchemaError, match="version 99") as caught:
        list_sequences(mine, OPTIONS)
    assert caught.value.where == str(path)


def test_an_unfinished_take_is_not_listed(mine):
    (mine / "S1/walk_0/take.json").unlink()
    assert [s.name for s in list_sequences(mine, OPTIONS)] == ["virtual/S2/walk_0/phone"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "{}", '{"subject": "S1"}', b"\xff\xfe".decode("latin1")],
    ids=["empty", "list", "cut", "no keys", "few keys", "no text"],
)
def test_a_broken_description_of_a_take_names_the_file(mine, text):
    path = mine / "S1/walk_0/take.json"
    path.write_text(text, encoding="latin1")
    with pytest.raises(BrokenFileError) as caught:
        list_sequences(mine, OPTIONS)
    assert caught.value.where == str(path)


def test_a_broken_dataset_file_names_the_file(mine):
    (mine / "dataset.json").write_text("{")
    with pytest.raises(BrokenFileError) as caught:
        list_sequences(mine, OPTIONS)
    assert caught.value.where == str(mine / "dataset.json")


def test_a_take_without_a_joint_names_it(mine):
    path = mine / "S1/walk_0/take.json"
    about = json.loads(path.read_text())
    about["joints"].remove("left_knee")
    path.write_text(json.dumps(about))
    with pytest.raises(BrokenFileError, match="a take without left_knee"):
        list_sequences(mine, OPTIONS)


def break_truth(path: Path, how: str) -> None:
    whole = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "flipped":
        path.write_bytes(whole[:200] + bytes([whole[200] ^ 255]) + whole[201:])
    else:
        with np.load(path) as arrays:
            truth = dict(arrays)
        if how == "no camera":
            del truth["phone/rotation"]
        elif how == "too short":
            truth["joints"] = truth["joints"][:, :1]
        elif how == "not a number":
            truth["phone/translation"][1, 2] = np.nan
        np.savez(path, **truth)


@pytest.mark.parametrize(
    "how", ["missing", "empty", "cut", "flipped", "no camera", "too short", "not a number"]
)
def test_a_broken_truth_names_the_file(mine, how):
    sequence = list_sequences(mine, OPTIONS)[0]
    path = mine / "S1/walk_0/truth.npz"
    break_truth(path, how)
    with pytest.raises(BrokenFileError, match="film it again") as caught:
        read_sequence(mine, sequence, 1, OPTIONS)
    assert caught.value.where == str(path)


def test_a_missing_video_is_named(mine):
    sequence = list_sequences(mine, OPTIONS)[0]
    path = mine / "S1/walk_0/phone.mkv"
    path.unlink()
    with pytest.raises(MissingDataError, match="film it again") as caught:
        read_sequence(mine, sequence, 1, OPTIONS)
    assert caught.value.where == str(path)
