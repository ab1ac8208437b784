"""The cameras stay within what their scene states, and hold the people as it states."""

from __future__ import annotations

import numpy as np
import pytest

from auglift.errors import DataError, UsageError
from auglift.studio.bodies import STUDIO
from auglift.studio.cameras import draw_cameras, frames_on_stage
from auglift.studio.places import LAB, ROOM, SCENES, STREET, WIDE, get_scene
from auglift.studio.rigs import LAB_CAMERAS, STAGE_M

RATE_HZ = 25.0
PELVIS = STUDIO.index("pelvis")


def people(n_frames=40, speed_m_s=0.0, places=((0.0, 0.0),)):
    """Joints (people, frames, 26, 3) on posts of 1.75 m that walk along x and sway a little."""
    heights = np.linspace(0.03, 1.75, STUDIO.n_joints)
    joints = np.zeros((len(places), n_frames, STUDIO.n_joints, 3))
    joints[..., 2] = heights
    for joint in ("pelvis", "left_hip", "right_hip"):
        joints[..., STUDIO.index(joint), 2] = 0.95
    time_s = np.arange(n_frames) / RATE_HZ
    joints[..., 0] += speed_m_s * (time_s - time_s.mean())[:, None]
    joints[..., 1] += 0.02 * np.sin(5 * time_s)[:, None]
    joints[..., :2] += np.array(places)[:, None, None]
    return joints


def pitch_and_roll_deg(camera):
    right, down, forward = camera.rotation
    pitch = np.degrees(np.arcsin(-forward[2]))
    # Without roll the camera's right is level.
    return pitch, np.degrees(np.arctan2(-right[2], -down[2]))


def flat(cameras):
    return [camera for track in cameras.values() for camera in track]


def in_picture(camera, points, margin_px=0.0):
    pixels = camera.project_world(points)
    limits = np.array(camera.image_wh) - 1 - margin_px
    return ((pixels >= margin_px) & (pixels <= limits)).all()


@pytest.mark.parametrize("spec", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize("seed", range(6))
def test_lens_pose_and_size_lie_in_the_stated_ranges(spec, seed):
    joints = people()
    cameras = draw_cameras(spec, joints, RATE_HZ, np.random.default_rng(seed))
    for camera in flat(cameras):
        width, height = camera.image_wh
        assert camera.image_wh in spec.pictures_wh
        assert (camera.focal_px == camera.focal_px[0]).all()
        assert spec.focal_widths[0] <= camera.focal_px[0] / width <= spec.focal_widths[1]
        assert np.allclose(camera.centre_px, [(width - 1) / 2, (height - 1) / 2])
        assert np.allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(camera.rotation) == pytest.approx(1)
        assert spec.height_m[0] <= camera.centre[2] <= spec.height_m[1]
        pitch, roll = pitch_and_roll_deg(camera)
        assert spec.pitch_deg[0] - 1e-6 <= pitch <= spec.pitch_deg[1] + 1e-6
        assert spec.roll_deg[0] <= roll <= spec.roll_deg[1]


@pytest.mark.parametrize("spec", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize("speed_m_s", [0.0, 1.4])
def test_roots_are_in_the_picture_at_the_stated_distance(spec, speed_m_s):
    joints = people(speed_m_s=speed_m_s)
    for seed in range(8):
        cameras = draw_cameras(spec, joints, RATE_HZ, np.random.default_rng(seed))
        for track in cameras.values():
            assert len(track) == joints.shape[1]
            for i_frame, camera in enumerate(track):
                root = joints[0, i_frame, PELVIS]
                near, far = spec.distance_m
                if spec is LAB:
                    root_m = np.linalg.norm(camera.centre - [0, 0, 0.95])
                else:
                    root_m = np.linalg.norm(camera.to_camera(root))
                assert near <= root_m <= far
                assert in_picture(camera, root)


def test_the_lab_has_four_fixed_cameras_that_hold_whole_bodies():
    reach = STAGE_M / np.sqrt(2)
    joints = people(places=((-reach, -reach), (reach, reach), (reach, -reach)))
    joints[0, :, STUDIO.index("left_wrist"), 2] = 2.1
    for seed in range(6):
        cameras = draw_cameras(LAB, joints, RATE_HZ, np.random.default_rng(seed))
        assert tuple(cameras) == LAB_CAMERAS
        assert len(LAB_CAMERAS) == 4
        for track in cameras.values():
            assert all(camera is track[0] for camera in track)
            assert in_picture(track[0], joints, margin_px=10)
        quarters = {tuple(np.sign(track[0].centre[:2])) for track in cameras.values()}
        assert len(quarters) == 4


def test_the_lab_refuses_people_that_leave_it_and_says_what_to_do():
    joints = people(n_frames=100, speed_m_s=2.0)
    with pytest.raises(DataError, match=r"7\.9 m × 0\.0 m") as error:
        draw_cameras(LAB, joints, RATE_HZ, np.random.default_rng(0))
    assert "frames_on_stage" in str(error.value)


def test_the_longest_stretch_on_stage_is_found_and_accepted():
    joints = people(n_frames=200, speed_m_s=1.5)
    joints[:, 120:, :, 0] = joints[:, 120:121, :, 0]  # then stands still
    kept = frames_on_stage(joints)
    assert kept.stop == 200
    assert np.ptp(joints[0, kept, PELVIS, 0]) == pytest.approx(2 * STAGE_M, abs=2 * 1.5 / RATE_HZ)
    draw_cameras(LAB, joints[:, kept], RATE_HZ, np.random.default_rng(0))
    # Two people who are never on one stage leave nothing.
    assert frames_on_stage(people(places=((-3, 0), (3, 0)))) == slice(0, 0)


def test_the_phone_is_never_still_and_never_jumps():
    cameras = draw_cameras(STREET, people(200), RATE_HZ, np.random.default_rng(3))["phone"]
    forward = np.array([camera.rotation[2] for camera in cameras])
    turned_deg = np.degrees(np.arccos(np.clip((forward[1:] * forward[:-1]).sum(axis=-1), -1, 1)))
    assert 0.02 < np.median(turned_deg) < turned_deg.max() < 2.0
    moved_m = np.linalg.norm(np.diff([camera.centre for camera in cameras], axis=0), axis=-1)
    assert 0.0005 < np.median(moved_m) < moved_m.max() < 0.05


def test_the_phone_follows_a_walk_of_ten_metres():
    joints = people(n_frames=180, speed_m_s=1.4)
    for seed in range(4):
        cameras = draw_cameras(STREET, joints, RATE_HZ, np.random.default_rng(seed))["phone"]
        for camera, frame in zip(cameras, joints[0], strict=True):
            assert in_picture(camera, frame[PELVIS], margin_px=100)


def test_wide_covers_its_distribution():
    joints = people(n_frames=2)
    drawn = [
        draw_cameras(WIDE, joints, RATE_HZ, np.random.default_rng(i))["camera"][0]
        for i in range(150)
    ]
    focal = np.array([camera.focal_px[0] / camera.image_wh[0] for camera in drawn])
    assert focal.min() < 0.85
    assert focal.max() > 1.7
    pitch = np.array([pitch_and_roll_deg(camera)[0] for camera in drawn])
    assert pitch.min() < -10
    assert pitch.max() > 35
    distance = [np.linalg.norm(camera.to_camera(joints[0, 0, PELVIS])) for camera in drawn]
    assert min(distance) < 2.5
    assert max(distance) > 6.5
    assert {camera.image_wh for camera in drawn} == set(WIDE.pictures_wh)
    places = np.array(
        [camera.project_world(joints[0, 0, PELVIS]) / camera.image_wh for camera in drawn]
    )
    assert np.ptp(places, axis=0).min() > 0.45  # off centre
    truncated = [not in_picture(camera, joints[0]) for camera in drawn]
    assert 0.05 < np.mean(truncated) < 0.7


def test_people_in_a_room_stand_near_the_middle() -> None:
    joints = people(5)
    middle = joints.mean(axis=(0, 1, 2))
    aside = {
        spec.name: max(
            np.abs(camera.project(camera.to_camera(middle)) / camera.image_wh - 0.5).max()
            for i in range(20)
            for camera in [
                draw_cameras(spec, joints, RATE_HZ, np.random.default_rng(i))["camera"][0]
            ]
        )
        for spec in (ROOM, WIDE)
    }
    assert aside["room"] < 0.25 < aside["wide"]


def test_wide_rides_along_when_no_tripod_can_hold_the_walk():
    joints = people(n_frames=400, speed_m_s=1.5)
    cameras = draw_cameras(WIDE, joints, RATE_HZ, np.random.default_rng(0))["camera"]
    centres = np.array([camera.centre for camera in cameras])
    assert np.ptp(centres[:, 0]) > 10
    assert np.ptp(centres[:, 1]) < 0.2
    assert all(in_picture(c, j[PELVIS]) for c, j in zip(cameras, joints[0], strict=True))


def test_size_scales_pictures_and_nothing_else():
    joints = people()
    large = flat(draw_cameras(LAB, joints, RATE_HZ, np.random.default_rng(7)))
    small = flat(draw_cameras(LAB, joints, RATE_HZ, np.random.default_rng(7), size=0.25))
    for one, other in zip(large, small, strict=True):
        assert other.image_wh == (250, 250)
        assert np.allclose(one.rotation, other.rotation)
        assert np.allclose(one.translation, other.translation)
        # Pixel centres are whole numbers: picture positions scale about (−½, −½).
        pixels = one.project_world(joints)
        assert np.allclose(other.project_world(joints), (pixels + 0.5) / 4 - 0.5)


def test_cameras_are_fixed_by_the_seed():
    joints = people()
    for spec in SCENES.values():
        one, again, other = (
            flat(draw_cameras(spec, joints, RATE_HZ, np.random.default_rng(seed)))
            for seed in (1, 1, 2)
        )
        assert all((a.rotation == b.rotation).all() for a, b in zip(one, again, strict=True))
        assert (one[0].rotation != other[0].rotation).any()


def test_distortion_is_off_unless_asked_for():
    plain = flat(draw_cameras(LAB, people(), RATE_HZ, np.random.default_rng(0)))[0]
    bent = flat(draw_cameras(LAB, people(), RATE_HZ, np.random.default_rng(0), distorted=True))[0]
    assert plain.distortion == "none"
    assert bent.distortion == "h36m"
    moved_px = np.linalg.norm(plain.project_world(people()) - bent.project_world(people()), axis=-1)
    assert 0.5 < moved_px.max() < 10


def test_an_unknown_scene_lists_the_known_ones():
    assert get_scene("lab") is LAB
    with pytest.raises(UsageError, match="unknown scene 'laab'") as error:
        get_scene("laab")
    assert "lab, room, street, wide" in str(error.value)
