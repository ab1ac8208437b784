"""People in 3D out of a video, a photo or 2D keypoints, from Python.

Usage: python examples/infer.py clip.mp4 LIFTER

LIFTER is a run in work_dirs/, a checkpoint, or a lifter of the zoo, that needs no depth (`xyc`).
"""

from __future__ import annotations

import sys

import numpy as np

import auglift

path, name = sys.argv[1:]
people = auglift.infer(path, checkpoint=name)  # the whole way; nothing is written
print(people)
print(people.positions)

lifter = auglift.Lifter.from_zoo(name)  # for 2D joints of one's own
print(lifter)
for person in people.people:
    keypoints = np.concatenate([person.joints_2d, person.confidence[..., None]], axis=-1)
    poses = lifter.lift(keypoints, image_wh=people.image_wh, fps=people.fps)  # (T, 17, 3) metres
    wrist_m = poses[0, people.skeleton.index("right_wrist")]
    print(f"person {person.person}: at {person.root_m[0].round(2)} m in camera axes,")
    print(f"  right wrist {wrist_m.round(2)} m from his pelvis")
