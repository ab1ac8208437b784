"""Whose the clips and networks are whose pictures and poses the page on real footage shows."""

from __future__ import annotations

from typing import NamedTuple

LICENCE = "LICENSE-clips.txt"
"""The clips' licence has to go wherever their pictures go."""


class Credit(NamedTuple):
    """Whose something is, and how it may be used."""

    what: str
    licence: str


_OF_CLIPS = "BSD-3-Clause, Copyright (c) 2022, perfanalytics. All rights reserved."
_POSE2SIM = "of [Pose2Sim](https://github.com/perfanalytics/pose2sim) by David Pagnon and others"
_SPORTS2D = "of [Sports2D](https://github.com/davidpagnon/Sports2D) by David Pagnon and others"

# By SHA-256, as a name says nothing: files of the packages pose2sim 0.10.49 and sports2d 0.8.34.
CLIPS = {
    "cf4f2816c86bea4bfbea255333d8626ff32a3ecabdab8b0fb147cea9167fde3a": Credit(
        f"`Pose2Sim/Demo_SinglePerson/videos/cam01.mp4` {_POSE2SIM}", _OF_CLIPS
    ),
    "543cee6a4c2c2b52dc9eac9137ee63d14f1f84e706a9a7264769edcb11e5ea53": Credit(
        f"`Pose2Sim/Demo_MultiPerson/videos/cam01.mp4` {_POSE2SIM}", _OF_CLIPS
    ),
    "d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039": Credit(
        f"`Sports2D/Demo/demo.mp4` {_SPORTS2D}", _OF_CLIPS
    ),
}
UNKNOWN = Credit("not known here", "to be found out before its pictures are shown to others")

NETWORKS = {
    "rtmdet_nano_person_raw.onnx": Credit(
        "RTMDet-nano for people by OpenMMLab: its official export, cut before the suppression of "
        "overlapping boxes",
        "Apache-2.0",
    ),
    "pose_coco17_simcc_256x192.onnx": Credit(
        "MoveNet SinglePose Lightning by Google, repackaged under RTMPose's contract",
        "Apache-2.0",
    ),
    "depth_dav2_contract.onnx": Credit(
        "[TCMonoDepth](https://github.com/yu-li/TCMonoDepth)-small by Yu Li and others, repackaged "
        "under Depth Anything V2's contract",
        "MIT",
    ),
}
"""By their files: person, pose, depth."""


def credit_table(clips: dict[str, str]) -> str:
    """Whose clips, by their SHA-256, and networks these are."""
    credits = {f"{name}.mp4": CLIPS.get(sha256, UNKNOWN) for name, sha256 in clips.items()}
    rows = "".join(
        f"| {file} | {credit.what} | {credit.licence} |\n"
        for file, credit in [*credits.items(), *NETWORKS.items()]
    )
    licence = f" The clips' licence: [{LICENCE}]({LICENCE})." if has_known(clips) else ""
    return (
        "## Credits\n\nThe pictures show frames of the clips, made smaller and drawn into. Neither "
        f"the clips nor the networks are part of the project.{licence}\n\n"
        f"| file | what | licence |\n|---|---|---|\n{rows}"
    )


def has_known(clips: dict[str, str]) -> bool:
    """Whether some are those whose licence must go with their pictures."""
    return any(sha256 in CLIPS for sha256 in clips.values())
