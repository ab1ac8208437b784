"""Arrays: plain ones, VideoPose3D's, SLEAP's; and DeepLabCut's table."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglift.datasets.keypoints.formats import read_keypoints
from auglift.datasets.keypoints.named_joints import plain_name
from auglift.errors import BrokenFileError, DataError
from auglift.geometry.skeleton import COCO_17, H36M_17

RNG = np.random.default_rng(0)
WH = (640, 480)
POINTS = RNG.uniform(10, 400, (4, 17, 2)).round(2)
TRUST = RNG.uniform(0.1, 1, (4, 17)).round(2)


def write_npy(folder: Path, array: Any) -> Path:
    np.save(folder / "track.npy", array)
    return folder / "track.npy"


def write_npz(folder: Path, **arrays: Any) -> Path:
    np.savez_compressed(folder / "track.npz", **arrays)
    return folder / "track.npz"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_of_places_is_one_person_of_full_trust(tmp_path: Path, dtype: Any) -> None:
    clip = read_keypoints(write_npy(tmp_path, POINTS.astype(dtype)), WH)
    np.testing.assert_allclose(clip.keypoints_2d, POINTS, rtol=1e-6)
    np.testing.assert_array_equal(clip.confidence, np.ones((4, 17)))
    assert clip.person is not None
    np.testing.assert_array_equal(clip.person, [0, 0, 0, 0])


def test_the_third_number_is_trust_and_beside_places_an_array_of_it(tmp_path: Path) -> None:
    joined = write_npy(tmp_path, np.concatenate([POINTS, TRUST[..., None]], axis=-1))
    apart = write_npz(tmp_path, keypoints=POINTS, scores=TRUST, other=np.arange(3))
    for path in (joined, apart):
        clip = read_keypoints(path, WH, skeleton="h36m_17")
        np.testing.assert_array_equal(clip.confidence, TRUST)
        assert clip.skeleton == "h36m_17"


def test_an_empty_row_is_a_frame_without_him(tmp_path: Path) -> None:
    points = POINTS.copy()
    points[1], points[2], points[3, 5] = 0.0, np.nan, 0.0
    clip = read_keypoints(write_npy(tmp_path, points), WH)
    np.testing.assert_array_equal(clip.frames, [0, 1, 2, 3])
    np.testing.assert_array_equal(clip.frame, [0, 3])
    assert np.isnan(clip.keypoints_2d[1, 5]).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (RNG.normal(size=(4, 17, 3)), "no confidences"),
        (np.zeros((4, 34)), r"the shape \(4, 34\)"),
        (np.zeros((4, 17, 4)), r"the shape \(4, 17, 4\)"),
        (np.zeros((2, 4, 17, 2)), r"the shape \(2, 4, 17, 2\)"),
        (np.full((4, 17, 2), 1e9), "no pixel's place"),
        (np.ones((4, 12, 2)) * 50, "12 joints, and no name"),
        (POINTS / 640, "shares of the picture"),
        (np.array(["a"]), "not keypoints as known here"),
    ],
)
def test_other_arrays_are_refused_by_what_they_are(
    tmp_path: Path, array: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_keypoints(write_npy(tmp_path, array), WH)
    assert "track.npy" in str(caught.value.where)


def test_two_tracks_in_an_npz_are_not_guessed_between(tmp_path: Path) -> None:
    with pytest.raises(BrokenFileError, match="it holds a, b"):
        read_keypoints(write_npz(tmp_path, a=POINTS, b=POINTS), WH)


def objects(values: list[Any]) -> np.ndarray:
    array = np.empty((len(values), 2), object)
    for i, value in enumerate(values):
        array[i] = [[], value]
    return array


def write_inference(folder: Path, people: list[Any], boxes: list[Any]) -> Path:
    return write_npz(
        folder,
        boxes=objects(boxes),
        segments=np.array([None] * len(boxes)),
        keypoints=objects(people),
        metadata=np.array({"w": np.int64(640), "h": 480}),
    )


def test_videopose3ds_inference_is_read(tmp_path: Path) -> None:
    rows = np.stack([POINTS[0, :, 0], POINTS[0, :, 1], np.zeros(17), TRUST[0]])[None]
    path = write_inference(tmp_path, [[], rows], [[], np.array([[1, 2, 30, 40, 0.9]])])
    clip = read_keypoints(path)
    assert clip.format == "VideoPose3D inference"
    assert clip.image_wh == (640, 480)
    np.testing.assert_array_equal(clip.frames, [0, 1])
    np.testing.assert_array_equal(clip.frame, [1])
    np.testing.assert_array_equal(clip.keypoints_2d[0], POINTS[0])
    np.testing.assert_array_equal(clip.confidence[0], TRUST[0])
    np.testing.assert_array_equal(clip.box_xyxy[0], [1, 2, 30, 40])
    assert clip.score[0] == 0.9


def test_videopose3ds_inference_where_nobody_ever_is(tmp_path: Path) -> None:
    path = write_npz(
        tmp_path,
        boxes=np.zeros((3, 2, 0)),
        keypoints=np.zeros((3, 2, 0)),
        metadata={"w": 64, "h": 48},
    )
    clip = read_keypoints(path)
    assert (clip.frames.tolist(), len(clip.frame)) == ([0, 1, 2], 0)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ([np.zeros((1, 3, 17))], r"keypoints\[0\] has the shape \(1, 3, 17\)"),
        ([[["x"]]], r"keypoints\[0\] (holds no|is no array of) numbers"),
        ([np.zeros((2, 4, 17))], r"boxes\[0\] has the shape \(1, 5\)"),
    ],
)
def test_videopose3ds_faults_are_named(tmp_path: Path, people: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_keypoints(write_inference(tmp_path, people, [np.zeros((1, 5))]))


def test_an_npz_that_is_a_program_is_not_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return (print, ("harm",))

    np.savez(tmp_path / "harm.npz", keypoints=np.array(Harm(), object))
    with pytest.raises(BrokenFileError, match="which is code and not data"):
        read_keypoints(tmp_path / "harm.npz", WH)
    assert pickle.DEFAULT_PROTOCOL  # the file above is a real pickle


@pytest.mark.parametrize(
    "name", ["left_knee", "LeftKnee", "leftKnee", "knee_L", "lknee", "LKnee", "knee left", "L-Knee"]
)
def test_a_joint_is_known_in_every_spelling(name: str) -> None:
    assert plain_name(name) == "left_knee"


def test_what_is_no_side_stays() -> None:
    assert [plain_name(name) for name in ("Nose", "Root", "neck_base", "rear", "Lear")] == [
        "nose", "pelvis", "neck_base", "right_ear", "left_ear",
    ]  # fmt: skip


def write_csv(folder: Path, names: list[str], rows: list[list[Any]], *individuals: str) -> Path:
    everybody = individuals or ("",)
    labels = [
        (who, name, c) for who in everybody for name in names for c in ("x", "y", "likelihood")
    ]
    heads = [["scorer", *["net"] * len(labels)]]
    if individuals:
        heads.append(["individuals", *(who for who, _, _ in labels)])
    heads += [["bodyparts", *(n for _, n, _ in labels)], ["coords", *(c for _, _, c in labels)]]
    lines = [",".join(map(str, row)) for row in heads + rows]
    (folder / "track.csv").write_text("\n".join(lines) + "\n")
    return folder / "track.csv"


def cells(*frames: int) -> list[Any]:
    return np.concatenate([POINTS[list(frames)], TRUST[list(frames), :, None]], -1).ravel().tolist()


def test_deeplabcuts_table_is_read_by_its_names(tmp_path: Path) -> None:
    order = RNG.permutation(17)
    names = [COCO_17.joints[i].title() for i in order]
    row = np.column_stack([POINTS[0], TRUST[0]])[order].ravel().tolist()
    row[3:6] = ["", "", ""]
    clip = read_keypoints(write_csv(tmp_path, names, [[0, *row], [7, *row]]), WH)
    assert (clip.format, clip.skeleton) == ("DeepLabCut", "coco_17")
    np.testing.assert_array_equal(clip.frames, [0, 7])
    kept = np.delete(np.arange(17), order[1])
    np.testing.assert_array_equal(clip.keypoints_2d[0, kept], POINTS[0, kept])
    np.testing.assert_array_equal(clip.confidence[1, kept], TRUST[0, kept])
    assert np.isnan(clip.keypoints_2d[0, order[1]]).all()


def test_deeplabcuts_individuals_are_people(tmp_path: Path) -> None:
    rows = [[0, *cells(0), *cells(1)], [1, *[""] * 51, *cells(3)]]
    clip = read_keypoints(write_csv(tmp_path, list(H36M_17.joints), rows, "ann", "bob"), WH)
    assert clip.skeleton == "h36m_17"
    np.testing.assert_array_equal(clip.frame, [0, 0, 1])
    assert clip.person is not None
    np.testing.assert_array_equal(clip.person, [0, 1, 1])
    np.testing.assert_array_equal(clip.keypoints_2d, POINTS[[0, 1, 3]])


def test_deeplabcuts_pictures_by_name(tmp_path: Path) -> None:
    rows = [[f"labeled-data/x/img{i:03d}.png", *cells(0)] for i in (12, 3)]
    clip = read_keypoints(write_csv(tmp_path, list(COCO_17.joints), rows), WH)
    np.testing.assert_array_equal(clip.frames, [3, 12])


@pytest.mark.parametrize(
    ("names", "rows", "message"),
    [
        (["tail", "beak"], [], "no joint set known here: tail, beak"),
        (COCO_17.joints, [[0, 1, 2]], "not every row has the 52 columns"),
        (COCO_17.joints, [[0, *["x"] * 51]], "row 1: could not convert"),
        (COCO_17.joints, [[5, *cells(0)], [5, *cells(1)]], "2 entries have the frame number 5"),
        ([*COCO_17.joints, "nose"], [], "a column comes twice"),
    ],
)
def test_deeplabcuts_faults_are_named(tmp_path: Path, names: Any, rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_keypoints(write_csv(tmp_path, list(names), rows), WH)


def test_another_csv_is_named_by_its_head(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,x,y\n0,1,2\n")
    with pytest.raises(BrokenFileError, match="it begins with time, x, y"):
        read_keypoints(tmp_path / "a.csv", WH)


def write_sleap(path: Path, names: list[str], **more: Any) -> Path:
    h5py = pytest.importorskip("h5py")
    tracks = np.full((2, 2, len(names), 4), np.nan)
    tracks[0] = POINTS[:, : len(names)].transpose(2, 1, 0)
    tracks[1, :, :, 2] = POINTS[0, : len(names)].T
    with h5py.File(path, "w") as file:
        datasets = {"tracks": tracks, "node_names": np.array(names, "S"), **more}
        for name, values in datasets.items():
            file.create_dataset(name, data=values)
    return path


def test_sleaps_tracks_are_people(tmp_path: Path) -> None:
    names = [joint.replace("_", "-") for joint in COCO_17.joints]
    scores = np.full((2, 17, 4), np.nan)
    scores[0] = TRUST.T
    clip = read_keypoints(write_sleap(tmp_path / "a.h5", names, point_scores=scores), WH)
    assert (clip.format, clip.skeleton) == ("SLEAP analysis", "coco_17")
    np.testing.assert_array_equal(clip.frame, [0, 1, 2, 2, 3])
    assert clip.person is not None
    np.testing.assert_array_equal(clip.person, [0, 0, 0, 1, 0])
    np.testing.assert_array_equal(clip.keypoints_2d, POINTS[[0, 1, 2, 0, 3]])
    np.testing.assert_array_equal(clip.confidence[[0, 3]], [TRUST[0], np.ones(17)])


def test_sleaps_flies_are_no_people(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="SLEAP analysis: node_names are no joint set") as caught:
        read_keypoints(write_sleap(tmp_path / "a.h5", ["head", "thorax"]), WH)
    assert "of h36m_17 these are missing: pelvis" in str(caught.value.hint)


def test_deeplabcuts_hdf5_says_to_export_a_csv(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("df_with_missing")
    with pytest.raises(BrokenFileError, match="pandas table") as caught:
        read_keypoints(tmp_path / "a.h5", WH)
    assert "save_as_csv" in str(caught.value.hint)
