"""What auglift wrote itself is read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from auglift.datasets.keypoints.formats import read_keypoints, recognise
from auglift.errors import DataError, SchemaError
from auglift.geometry.skeleton import H36M_17
from auglift.outputs.people3d import LiftedPeople, LiftedPerson, write_json
from auglift.storage.table_metadata import TableMetadata
from auglift.storage.table_writer import write_table

N = H36M_17.n_joints
RNG = np.random.default_rng(0)


def test_a_result_is_lifted_again_from_what_was_seen(tmp_path: Path) -> None:
    joints = RNG.uniform(10, 400, (3, N, 2)).round(2)
    joints[2, 4] = np.nan
    trust = RNG.uniform(0.1, 1, (3, N)).round(3)
    trust[2, 4] = np.nan
    person = LiftedPerson(
        person=5,
        frame=np.array([8, 9, 10]),
        time_s=np.arange(3) / 30,
        detected=np.array([True, False, True]),
        pose_3d=np.zeros((3, N, 3)),
        joints_2d=joints,
        confidence=trust,
    )
    lifted = LiftedPeople("a.mp4", H36M_17, (640, 480), 30.0, "run/best", [person])
    write_json(tmp_path / "a_auglift.json", lifted)
    clip = read_keypoints(tmp_path / "a_auglift.json")
    assert (clip.format, clip.skeleton) == ("auglift's result", "h36m_17")
    assert (clip.image_wh, clip.fps) == ((640, 480), 30.0)
    np.testing.assert_array_equal(clip.frame, [8, 10])
    assert clip.person is not None
    np.testing.assert_array_equal(clip.person, [5, 5])
    np.testing.assert_array_equal(clip.keypoints_2d, joints[[0, 2]])
    np.testing.assert_array_equal(clip.confidence[0], trust[0])
    assert clip.confidence[1, 4] == 0.0


def write_detections(path: Path, sequences: list[str]) -> dict[str, np.ndarray]:
    n = 3 * len(sequences)
    detected = np.tile([True, False, True], len(sequences))
    nan = np.where(detected, 1.0, np.nan)
    joints = (RNG.uniform(10, 400, (n, N, 2)) * nan[:, None, None]).astype(np.float32)
    valid = np.zeros((n, N), bool)
    valid[detected] = RNG.random((detected.sum(), N)) < 0.5
    depth = np.where(valid[..., None], RNG.uniform(2, 3, (n, N, 6)), np.nan).astype(np.float32)
    columns = {
        "sequence": np.repeat(np.array(sequences, object), 3),
        "person": np.zeros(n, np.int16),
        "frame": np.tile(np.int32([4, 5, 9]), len(sequences)),
        "detected": detected,
        "box_xyxy": (np.tile([1, 2, 30, 40], (n, 1)) * nan[:, None]).astype(np.float32),
        "box_score": (0.9 * nan).astype(np.float32),
        "keypoints_2d": joints,
        "confidence": (np.full((n, N), 0.5) * nan[:, None]).astype(np.float32),
        "joints_2d": joints,
        "joint_confidence": (np.full((n, N), 0.5) * nan[:, None]).astype(np.float32),
        "depth_m": depth,
        "depth_valid": valid,
        "radius_px": (np.full((n, N), 5.0) * nan[:, None]).astype(np.float32),
    }
    metadata = TableMetadata(
        kind="detections", skeleton="h36m_17", detector_skeleton="h36m_17", fps=50.0
    )
    write_table(path, metadata, columns)
    return columns


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_table_of_one_sequence_is_a_clip_with_depth(tmp_path: Path, as_folder: bool) -> None:
    columns = write_detections(tmp_path / "part.parquet", ["a/b"])
    path = tmp_path if as_folder else tmp_path / "part.parquet"
    assert recognise(path).name == "auglift's detections"
    clip = read_keypoints(path, image_wh=(640, 480))
    assert clip.fps == 50.0
    np.testing.assert_array_equal(clip.frames, [4, 5, 9])
    np.testing.assert_array_equal(clip.frame, [4, 9])
    np.testing.assert_array_equal(clip.keypoints_2d, columns["joints_2d"][[0, 2]])
    np.testing.assert_array_equal(clip.depth_m, columns["depth_m"][[0, 2]])
    np.testing.assert_array_equal(clip.box_xyxy, columns["box_xyxy"][[0, 2]])


def test_a_table_of_several_sequences_is_no_clip(tmp_path: Path) -> None:
    write_detections(tmp_path / "part.parquet", ["a/b", "a/c"])
    with pytest.raises(DataError, match="2 sequences: a/b, a/c"):
        read_keypoints(tmp_path / "part.parquet", image_wh=(640, 480))


def test_another_table_says_what_it_is(tmp_path: Path, write_xycd) -> None:
    root = write_xycd()
    (path,) = root.rglob("*.parquet")
    with pytest.raises(SchemaError, match="a table of the kind xycd; wanted: detections"):
        read_keypoints(path, image_wh=(640, 480))
