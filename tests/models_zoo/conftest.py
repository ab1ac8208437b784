"""Pictures of the virtual world with everything that is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import pytest

from auglift.geometry.camera import Camera
from auglift.geometry.skeleton import COCO_17
from auglift.storage.onnx_session import OnnxModel, open_model
from auglift.storage.zoo import model_path
from auglift.studio.bodies import STUDIO
from auglift.studio.capture import CapturePlan, Take, stage_take
from auglift.studio.motions import ACTIONS
from auglift.studio.renderer import Picture, render
from auglift.studio.scene import Scene, ball_label, flesh_label

COCO_IN_STUDIO = STUDIO.indices(*COCO_17.joints)


@dataclass(frozen=True)
class Shot:
    """One instant before one camera."""

    name: str
    scene: Scene
    camera: Camera
    picture: Picture

    @property
    def network_px(self) -> float:
        """Picture pixels per pixel of the person network, whose longer side is 320."""
        return max(self.camera.image_wh) / 320

    def joints_px(self, slot: int) -> np.ndarray:
        """(17, 2) true places of COCO-17's joints."""
        return self.camera.project_world(self.scene.people[slot].joints[COCO_IN_STUDIO])

    def body(self, slot: int) -> np.ndarray:
        """(H, W) whether a pixel shows this person."""
        label = self.picture.label
        return (label >= flesh_label(slot)) & (label < flesh_label(slot + 1))

    def body_xyxy(self, slot: int) -> np.ndarray:
        """(4,) extent of what is seen of this person, from edge to edge of the pixels."""
        y, x = np.nonzero(self.body(slot))
        return np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], dtype=float)

    @cached_property
    def visible(self) -> list[np.ndarray]:
        """For each person (17, 2): share of each ball's disc that is seen, and its pixels."""
        slots, joints = range(len(self.scene.people)), range(COCO_17.n_joints)
        return [np.array([self._visible(slot, k) for k in joints]) for slot in slots]

    def _visible(self, slot: int, k: int) -> tuple[float, float]:
        person = self.scene.people[slot]
        ball = self.camera.to_camera(person.joints[COCO_IN_STUDIO[k]])
        radius_m = person.ball_radius_m[k]
        if ball[2] <= radius_m:
            return 0.0, 0.0
        reach = 1.3 * self.camera.focal_px[0] * radius_m / ball[2] + 2
        around = np.arange(-np.ceil(reach), np.ceil(reach) + 1)
        x, y = np.meshgrid(*(np.round(self.camera.project(ball))[:, None] + around))
        rays = self.camera.back_project(np.stack([x, y], -1), np.ones(x.shape))
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        disc = np.linalg.norm(np.cross(rays, ball), axis=-1) <= radius_m
        width, height = self.camera.image_wh
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        label = np.zeros(x.shape, dtype=int)
        label[inside] = self.picture.label[y[inside].astype(int), x[inside].astype(int)]
        seen = disc & (label == ball_label(slot, COCO_17.joints[k]))
        return seen.sum() / max(disc.sum(), 1), float(disc.sum())

    def smooth_body(self, reach_px: int, most_m: float) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (P, 2), and their depth, where the person's depth changes little all around."""
        depth = np.where(self.body(0), self.picture.depth_m, np.float32(1e3))
        window = np.ones((2 * reach_px + 1,) * 2, np.uint8)
        change = cv2.dilate(depth, window) - cv2.erode(depth, window)
        y, x = np.nonzero(self.body(0) & (change < most_m))
        return np.stack([x, y], axis=-1), self.picture.depth_m[y, x]


def shoot_all(scene: str, size: float, seeds: range, people: int = 1) -> Iterator[Shot]:
    """One instant of a take by each seed, from every camera; the actions take turns."""
    actions = tuple(ACTIONS)
    for seed in seeds:
        plan = CapturePlan(
            scene=scene, subjects={"S1": "train"}, actions=actions, seconds=1.5, rate_hz=10.0,
            size=size, people=people, seed=seed,
        )  # fmt: skip
        action = actions[seed % len(actions)]
        staged = stage_take(plan, Take(subject="S1", action=action, split="train", number=0))
        i_frame = staged.joints.shape[1] // 2
        instant = staged.scene.at(i_frame)
        for name, track in staged.cameras.items():
            picture = render(instant, track[i_frame], seed)
            yield Shot(f"{action} {name} {size} {seed}", instant, track[i_frame], picture)


@pytest.fixture(scope="session")
def shoot() -> Callable[..., list[Shot]]:
    """`shoot(scene, size, seeds, people)`: a list of shots, made once."""
    made: dict[Any, list[Shot]] = {}

    def shots(scene: str, size: float, seeds: range, people: int = 1) -> list[Shot]:
        key = (scene, size, seeds, people)
        if key not in made:
            made[key] = list(shoot_all(*key))
        return made[key]

    return shots


@pytest.fixture(scope="session")
def network() -> Callable[[str], OnnxModel]:
    """`network("virtual-pose")`: the committed network, checked against its card's hash."""
    return lambda card_id: open_model(model_path(card_id), "cpu", threads=1)
