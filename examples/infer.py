"""People in 3D out of a video, a photo or 2D keypoints, from Python.

Usage: python examples/infer.py clip.mp4     (with a trained run in work_dirs/)
"""

from __future__ import annotations

import sys

import auglift

people = auglift.infer(sys.argv[1])
print(people.positions)
for person in people.people:
    wrist_m = person.pose_3d[:, people.skeleton.index("right_wrist")]
    print(f"person {person.person}: {person.is_lifted.sum()} poses from {person.time_s[0]:.2f} s")
    print(
        f"  first at {person.root_m[0].round(2)} m, right wrist {wrist_m[0].round(2)} m from there"
    )
