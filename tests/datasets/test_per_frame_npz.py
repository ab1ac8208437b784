"""Per-frame NPZ files of AugLift's scripts: found by name, read whatever generation, never run."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from auglift.datasets.per_frame_npz import find_frame_files, picture_names, read_frame_file
from auglift.errors import BrokenFileError, MissingDataError

RNG = np.random.default_rng(0)
KEYPOINTS = RNG.uniform(0, 1000, (17, 2)).astype(np.float32)
SCORE = RNG.uniform(0, 1, 17).astype(np.float32)
MEDIAN = RNG.uniform(2, 5, 17).astype(np.float32)
EXACT = RNG.uniform(2, 5, 17).astype(np.float32)
BASE = {"keypoints": KEYPOINTS, "keypoints_score": SCORE, "keypoints_depth": MEDIAN}


def write(path: Path, **arrays: object) -> str:
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize(
    ("sequence", "frame", "person", "names"),
    [
        ("h36m/S1/Directions 1/54138969", 0, 0,
         ["s_01_act_02_subact_01_ca_01_000001", "S1_Directions_1.54138969_000001"]),
        ("h36m/S9/Waiting 1/60457274", 41, 0,
         ["s_09_act_13_subact_01_ca_04_000042", "S9_Waiting_1.60457274_000042"]),
        ("3dhp/S1/Seq2/0", 7, 0, ["S1_Seq2_Cam0_000008"]),
        ("3dhp/TS1", 7, 0, ["TS1_img_000008"]),
        ("3dpw/courtyard_arguing_00", 7, 1, ["courtyard_arguing_00_participant1_frame00007"]),
        ("fit3d/s03/band_pull_apart/50591643", 7, 0, ["s03_50591643_band_pull_apart_000008"]),
        ("own/my clip", 7, 0, ["my_clip_000007"]),
    ],
)  # fmt: skip
def test_what_a_frames_file_is_called(
    sequence: str, frame: int, person: int, names: list[str]
) -> None:
    assert list(picture_names(sequence, frame, person)) == names


def test_files_are_found_in_the_folders_of_all_jobs(tmp_path: Path) -> None:
    for job in ("job_0", "job_1/deeper"):
        (tmp_path / job).mkdir(parents=True)
    a = write(tmp_path / "job_0" / "TS1_img_000001_depth.npz", **BASE)
    b = write(tmp_path / "job_1/deeper" / "TS1_img_000002.npz", **BASE)
    (tmp_path / "job_0" / "log.txt").write_text("")
    assert find_frame_files(tmp_path) == {"TS1_img_000001": a, "TS1_img_000002": b}
    with pytest.raises(MissingDataError, match="no such folder"):
        find_frame_files(tmp_path / "none")


def test_the_first_generation_has_one_depth(tmp_path: Path) -> None:
    one = read_frame_file(write(tmp_path / "f.npz", **BASE))
    np.testing.assert_array_equal(one.keypoints, KEYPOINTS)
    np.testing.assert_array_equal(one.score, SCORE)
    np.testing.assert_array_equal(one.summary[:, :2], KEYPOINTS)
    np.testing.assert_array_equal(one.summary[:, 2], SCORE)
    assert np.isnan(one.summary[:, 3]).all()
    np.testing.assert_array_equal(one.summary[:, 4:], np.repeat(MEDIAN[:, None], 6, axis=1))
    assert one.box is None


def test_the_depth_at_the_joint_and_the_box_are_read_if_they_are_there(tmp_path: Path) -> None:
    path = write(tmp_path / "f.npz", **BASE, keypoints_depth_exact=EXACT,
                 rtm_bbox=np.array([1.0, 2, 3, 4]))  # fmt: skip
    one = read_frame_file(path)
    np.testing.assert_array_equal(one.summary[:, 9], EXACT)
    np.testing.assert_array_equal(one.summary[:, 4], MEDIAN)
    assert one.box is not None
    assert one.box.tolist() == [1, 2, 3, 4]


def test_the_summary_is_taken_as_it_is(tmp_path: Path) -> None:
    summary = RNG.uniform(1, 9, (17, 10)).astype(np.float16)
    one = read_frame_file(write(tmp_path / "f.npz", **BASE, summary_casp_descriptor_10d=summary))
    np.testing.assert_array_equal(one.summary[:, 3:], summary[:, 3:].astype(np.float32))
    np.testing.assert_array_equal(one.summary[:, :2], KEYPOINTS)  # not in half precision


def test_descriptors_in_words(tmp_path: Path) -> None:
    words = np.array(
        [{"Q10": i + 0.1, "Q25": i + 0.25, "Q50": i + 0.5, "Q75": i + 0.75, "Q90": i + 0.9,
          "radius_used": 3.0 + i, "Q10_xy": (1, 2), "mad": 0.1} for i in range(17)]
    )  # fmt: skip
    path = write(tmp_path / "f.npz", **BASE, keypoints_depth_exact=EXACT, casp_descriptors=words,
                 summary_casp_descriptor_10d=np.array(None))  # fmt: skip
    one = read_frame_file(path)
    np.testing.assert_allclose(one.summary[3, 3:], [6, 3.1, 3.25, 3.5, 3.75, 3.9, EXACT[3]])


def test_a_leading_axis_of_one_person_is_dropped(tmp_path: Path) -> None:
    one = read_frame_file(write(tmp_path / "f.npz", **{n: a[None] for n, a in BASE.items()}))
    np.testing.assert_array_equal(one.keypoints, KEYPOINTS)


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("exploded"),)


def test_code_in_a_file_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "f.npz", **BASE, casp_descriptors=np.array([Bomb()] * 17))
    with pytest.raises(BrokenFileError, match="nothing of it was run"):
        read_frame_file(path)
    path = write(tmp_path / "f.npz", **BASE | {"keypoints": np.array([Bomb()])})
    with pytest.raises(BrokenFileError, match="objects"):
        read_frame_file(path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no zip at all", pickle.dumps(BASE),
        {"keypoints": KEYPOINTS}, BASE | {"keypoints": KEYPOINTS[:16]},
        BASE | {"summary_casp_descriptor_10d": np.zeros((17, 10)).T.copy(), "keypoints_depth": 3.0},
    ],
)  # fmt: skip
def test_what_is_broken_is_said(tmp_path: Path, content: bytes | dict[str, np.ndarray]) -> None:
    path = tmp_path / "f.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(BrokenFileError) as caught:
        read_frame_file(str(path))
    assert caught.value.where == str(path)


def test_every_shortened_file_is_broken(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "f.npz", **BASE))
    whole = path.read_bytes()
    for length in range(0, len(whole), 40):
        path.write_bytes(whole[:length])
        with pytest.raises(BrokenFileError):
            read_frame_file(str(path))
