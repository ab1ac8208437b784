"""Kept depth maps: read back to half a step, and enough of them for every disc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglift.detection.depth import DepthMap
from auglift.detection.detector import DescriptorOptions, Detections
from auglift.detection.keep_depth import MARGIN_PX, KeptDepth, keep_depth
from auglift.detection.kept_depth_file import DepthSpool, kept_depth_path, read_kept_depth
from auglift.detection.redescribe import redescribe
from auglift.detection.rows import no_people, rows_of_sequence
from auglift.errors import AugliftError, BrokenFileError, DataError, MissingDataError, UsageError
from auglift.geometry.descriptor import radius_px, torso_size_px
from auglift.geometry.skeleton import H36M_17
from auglift.storage.parts import find_parts, part_path

WH = (640, 480)


def write_kept_depth(path: Path, kept: Sequence[KeptDepth]) -> None:
    with DepthSpool(path.parent) as spool:
        for one in kept:
            spool.append(one)
        spool.write(path)


def detections(rng: np.random.Generator, n: int, wh: tuple[int, int] = WH) -> Detections:
    """People whose joints lie in and a little around their boxes."""
    corner = rng.uniform(0, 0.6, (n, 2)) * wh
    box = np.concatenate([corner, corner + rng.uniform(0.1, 0.4, (n, 2)) * wh], axis=1)
    share = rng.uniform(-0.1, 1.1, (n, 17, 2))
    joints = box[:, None, :2] + share * (box[:, None, 2:] - box[:, None, :2])
    return Detections(
        box_xyxy=box.astype(np.float32),
        box_score=np.ones(n, np.float32),
        keypoints_2d=joints.astype(np.float32),
        confidence=rng.uniform(0, 1.1, (n, 17)).astype(np.float32),
        joints_2d=joints.astype(np.float32),
        joint_confidence=rng.uniform(0, 1.1, (n, 17)).astype(np.float32),
        depth_m=np.full((n, 17, 6), np.nan, np.float32),
        depth_valid=np.zeros((n, 17), bool),
        radius_px=np.full((n, 17), np.nan, np.float32),
    )


def a_map(rng: np.random.Generator, wh: tuple[int, int] = WH) -> DepthMap:
    values = rng.uniform(1, 9, (rng.integers(5, 60), rng.integers(5, 60))).astype(np.float32)
    values[rng.uniform(size=values.shape) < 0.05] = np.inf
    return DepthMap(values, wh)


def described(depth: DepthMap, people: Detections, options: DescriptorOptions) -> Detections:
    """As the detector describes them."""
    size = torso_size_px(people.joints_2d, H36M_17)
    radius = radius_px(
        people.joint_confidence, size, options.radius_rule, options.r_min_px, options.r_max_px
    )
    radius = radius.astype(np.float32)
    depth_m, valid = depth.describe(
        people.joints_2d.reshape(-1, 2), radius.reshape(-1), options.quantiles
    )
    return replace(
        people,
        radius_px=radius,
        depth_m=depth_m.reshape(-1, 17, 6),
        depth_valid=valid.reshape(-1, 17),
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from(["code", "paper"]))
def test_described_anew_as_from_the_whole_map(seed: int, rule: str) -> None:
    """Whatever the rule, the kept cells give the whole map's answer to half a step."""
    rng = np.random.default_rng(seed)
    depth, people = a_map(rng), detections(rng, 2)
    kept = keep_depth("a", 0, depth, people)
    options = DescriptorOptions(radius_rule=rule, quantiles=(0.25, 0.75))
    whole, part = (described(d, people, options) for d in (depth, kept.depth_map()))
    np.testing.assert_array_equal(part.depth_valid, whole.depth_valid)
    np.testing.assert_allclose(part.depth_m, whole.depth_m, atol=0.51 * kept.step + 1e-6)


def test_only_the_cells_around_people_are_kept() -> None:
    values = np.arange(100 * 200, dtype=np.float32).reshape(100, 200) / 1000 + 1
    people = detections(np.random.default_rng(0), 1, (2000, 1000))
    box = np.float32([[500, 300, 700, 600]])
    inside = np.float32([[[600, 400]] * 17])
    people = replace(people, box_xyxy=box, joints_2d=inside)
    kept = keep_depth("a", 3, DepthMap(values, (2000, 1000)), people)
    # A tenth of the picture's pixels a cell, and the margin: (500 − 64) / 10 to (700 + 64) / 10.
    assert 41 <= kept.window.x <= 43
    assert 77 <= kept.window.x + kept.window.width <= 79
    assert kept.codes().shape == (kept.window.height, kept.window.width)
    back = kept.depth_map()
    assert back.values.shape == (100, 200)
    assert np.isnan(back.values[0, 0])
    there = np.isfinite(back.values)
    np.testing.assert_allclose(back.values[there], values[there], atol=0.51 * kept.step)


@pytest.mark.parametrize("level", [2.5, np.nan, 0.0])
def test_a_flat_map_and_one_without_depth(level: float) -> None:
    people = detections(np.random.default_rng(0), 1)
    kept = keep_depth("a", 0, DepthMap(np.full((20, 30), level, np.float32), WH), people)
    back = kept.depth_map().values
    assert set(np.unique(back[np.isfinite(back)])) == ({level} if level > 0 else set())


def some_maps(n: int = 3) -> list[KeptDepth]:
    rng = np.random.default_rng(1)
    return [keep_depth("täk/é", 7 + i, a_map(rng), detections(rng, 1 + i)) for i in range(n)]


def test_written_and_read_back(tmp_path: Path) -> None:
    kept = some_maps()
    path = kept_depth_path(part_path(tmp_path, 3, 20))
    assert path.name == "part-00003-of-00020.depth.npz"
    write_kept_depth(path, kept)
    again = read_kept_depth(path)
    assert len(again) == 3
    assert again.margin_px == MARGIN_PX
    for one, other in zip(kept, again, strict=True):
        np.testing.assert_array_equal(one.codes(), other.codes())
        for name in ("sequence", "frame", "picture_wh", "map_wh", "window", "nearest", "step"):
            assert getattr(one, name) == getattr(other, name), name
    assert not find_parts(tmp_path).others  # it is no part of the table


def test_one_part_after_another_leaves_nothing_else(tmp_path: Path) -> None:
    """Maps wait on the disk: nothing of one part comes into the next, and no file is left."""
    first, second = some_maps(3), some_maps(2)[1:]
    with DepthSpool(tmp_path / "new") as spool:
        for path, kept in ((tmp_path / "1.npz", first), (tmp_path / "2.npz", second)):
            spool.clear()
            for one in kept:
                spool.append(one)
            spool.write(path)
    assert [len(read_kept_depth(tmp_path / name)) for name in ("1.npz", "2.npz")] == [3, 1]
    (again,) = read_kept_depth(tmp_path / "2.npz")
    np.testing.assert_array_equal(again.codes(), second[0].codes())
    write_kept_depth(tmp_path / "3.npz", second)
    assert (tmp_path / "2.npz").read_bytes() == (tmp_path / "3.npz").read_bytes()
    assert list((tmp_path / "new").iterdir()) == []


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="only Unix limits file sizes")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).uniform(1, 9, (300, 300)).astype(np.float32)
    people = replace(detections(np.random.default_rng(0), 1), box_xyxy=np.float32([[0, 0, *WH]]))
    kept = keep_depth("a", 0, DepthMap(noise, WH), people)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(AugliftError, match="kept depth cannot be written: File too large"):
            write_kept_depth(tmp_path / "part.depth.npz", [kept])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_part_in_which_nobody_is(tmp_path: Path) -> None:
    write_kept_depth(tmp_path / "none.depth.npz", [])
    assert list(read_kept_depth(tmp_path / "none.depth.npz")) == []


def test_smooth_depth_is_small_on_disk(tmp_path: Path) -> None:
    y, x = np.mgrid[:518, :518] / 518
    depth = DepthMap((3 + x + y**2).astype(np.float32), (1000, 1000))
    people = replace(
        detections(np.random.default_rng(0), 1), box_xyxy=np.float32([[300, 100, 700, 950]])
    )
    write_kept_depth(tmp_path / "one.depth.npz", [keep_depth("a", 0, depth, people)])
    assert (tmp_path / "one.depth.npz").stat().st_size < 0.25 * 518 * 518 * 4


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "part.depth.npz"
    with pytest.raises(MissingDataError, match="no depth maps were kept"):
        read_kept_depth(path)
    write_kept_depth(path, some_maps())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenFileError, match="not a readable npz"):
        read_kept_depth(path)
    np.savez(path, version=np.int64(99))
    with pytest.raises(BrokenFileError, match="version 1"):
        read_kept_depth(path)
    with np.load(_written(path)) as file:
        columns = dict(file)
    for png in (np.zeros_like(columns["png"]), columns["png"][:-9]):
        np.savez(path, **{**columns, "png": png})
        with pytest.raises(BrokenFileError, match=r"frame . of täk/é cannot be read"):
            [one.codes() for one in read_kept_depth(path)]


def _written(path: Path) -> Path:
    write_kept_depth(path, some_maps())
    return path


# --- the descriptor of a whole part, made anew


def part() -> tuple[dict[str, np.ndarray], list[KeptDepth], list[Detections], list[DepthMap]]:
    """Frames 4, 6 and 9 of one sequence: two people, nobody, one."""
    rng = np.random.default_rng(5)
    maps = [a_map(rng), a_map(rng)]
    seen = [
        described(depth, detections(rng, n), DescriptorOptions())
        for depth, n in zip(maps, (2, 1), strict=True)
    ]
    columns = rows_of_sequence("a", [4, 6, 9], [seen[0], no_people(17, 17), seen[1]], 17, 17)
    kept = [
        keep_depth("a", frame, depth, one)
        for frame, depth, one in zip((4, 9), maps, seen, strict=True)
    ]
    return columns, kept, seen, maps


def test_redescribe_follows_the_rule_that_is_named_now(tmp_path: Path) -> None:
    columns, kept, seen, maps = part()
    write_kept_depth(tmp_path / "p.depth.npz", kept)
    options = DescriptorOptions(radius_rule="paper", r_min_px=2, r_max_px=20)
    remade = redescribe(columns, read_kept_depth(tmp_path / "p.depth.npz"), H36M_17, options)
    expected = rows_of_sequence(
        "a",
        [4, 6, 9],
        [
            described(maps[0], seen[0], options),
            no_people(17, 17),
            described(maps[1], seen[1], options),
        ],
        17,
        17,
    )
    assert remade.keys() == columns.keys()
    step = max(one.step for one in kept)
    for name, values in expected.items():
        if name == "depth_m":
            np.testing.assert_allclose(remade[name], values, atol=0.51 * step)
        else:
            np.testing.assert_array_equal(remade[name], values, err_msg=name)
    assert not np.array_equal(remade["radius_px"], columns["radius_px"], equal_nan=True)


def test_redescribe_refuses_what_was_not_kept(tmp_path: Path) -> None:
    columns, kept, *_ = part()
    path = tmp_path / "p.depth.npz"
    write_kept_depth(path, kept[:1])
    with pytest.raises(DataError, match=r"1 frames with people have no kept depth map.*9 of a"):
        redescribe(columns, read_kept_depth(path), H36M_17, DescriptorOptions())
    with pytest.raises(UsageError, match="larger than what was kept"):
        redescribe(columns, read_kept_depth(path), H36M_17, DescriptorOptions(r_max_px=65))
