"""`auglift infer`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from auglift.cli.infer_options import (
    Checkpoint,
    DepthModel,
    FieldOfView,
    Formats,
    Height,
    ImageSize,
    Inputs,
    Intrinsics,
    KeypointSkeleton,
    ModelDir,
    Online,
    Output,
    PersonModel,
    PoseModel,
    Rate,
    Smooth,
    Split,
    Up,
    Video,
    Webcam,
    WholeDataset,
)
from auglift.cli.session import Session
from auglift.errors import UsageError
from auglift.infer import InferConfig, InferResult


def infer(
    session: Session,
    inputs: Inputs = None,
    dataset: WholeDataset = None,
    split: Split = None,
    camera: Webcam = None,
    online: Online = None,
    output: Output = None,
    formats: Formats = None,
    video: Video = None,
    checkpoint: Checkpoint = None,
    person_model: PersonModel = None,
    pose_model: PoseModel = None,
    depth_model: DepthModel = None,
    model_dir: ModelDir = None,
    fps: Rate = None,
    image_wh: ImageSize = None,
    keypoint_skeleton: KeypointSkeleton = None,
    fov: FieldOfView = None,
    intrinsics: Intrinsics = None,
    height: Height = None,
    up: Up = None,
    smooth: Smooth = None,
) -> None:
    """Lift the people in pictures, videos or keypoints to 3D.

    \b
    [bold]auglift infer clip.mp4[/bold]                poses and overlay beside the clip
    [bold]auglift infer shots/ photo.jpg -o out[/bold] a folder of pictures is one clip
    [bold]auglift infer results_clip.json --image-wh 1920 1080 --checkpoint my-xyc-run[/bold]

    [bold]auglift infer clip.mp4 --formats json,trc,bvh --height 1.78 --fov 65[/bold]
    [bold]auglift infer --camera 0[/bold]              a line of JSON for each frame

    Keypoints: COCO, OpenPose, MMPose, AlphaPose, DeepLabCut and others; the
    format is recognised. What is written already is kept. Poses are in metres
    about the root, in the camera's axes: x right, y down, z forward; the root's
    own place is beside them.
    """
    from auglift.infer import infer as run
    from auglift.infer import infer_online

    config = session.load(
        InferConfig,
        inputs=inputs or None,
        dataset=dataset,
        split=split,
        camera=camera,
        online=online or camera is not None or None,
        output=output,
        formats=formats.split(",") if formats is not None else None,
        video=video,
        checkpoint=checkpoint,
        person_model=person_model,
        pose_model=pose_model,
        depth_model=depth_model,
        model_dir=model_dir,
        fps=fps,
        image_wh=image_wh,
        keypoint_skeleton=keypoint_skeleton,
        fov_deg=fov,
        intrinsics=_four(intrinsics) if intrinsics is not None else None,
        height_m=height,
        up=up,
        smooth=smooth,
    )
    if config.online:
        for document in infer_online(config):
            session.write(json.dumps(document, allow_nan=False))
        return
    result = run(config, session.progress)
    session.show(_as_dict(result), _table(result))
    session.say(f"results in {escape(_folders(result))}")
    if result.error is None:
        return
    if session.json:
        raise typer.Exit(result.error.exit_code)
    raise result.error


def _four(text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise UsageError(f"--intrinsics {text}", hint="four numbers in pixels: fx,fy,cx,cy")
    return numbers


def _as_dict(result: InferResult) -> dict[str, Any]:
    return {
        "files": [asdict(one) for one in result.files],
        "failures": [{"source": one.source, **one.error.as_dict()} for one in result.failures],
    }


def _table(result: InferResult) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("input", overflow="fold")
    for heading in ("frames", "people", "poses"):
        table.add_column(heading, justify="right")
    table.add_column("files", overflow="fold")
    for one in result.files:
        counts = [f"{n:,}" if one.written else "" for n in (one.frames, one.people, one.poses)]
        kept = set(one.results) - set(one.written)
        names = [
            escape(path.name) + (" [dim](as it was)[/dim]" if path in kept else "")
            for path in one.results
        ]
        table.add_row(escape(str(one.source)), *counts, "\n".join(names))
    for failure in result.failures:
        table.add_row(escape(str(failure.source)), "", "", "", f"[red]{escape(failure.error.what)}")
    return table


def _folders(result: InferResult) -> str:
    """Where the results are."""
    folders = dict.fromkeys(str(path.parent) for one in result.files for path in one.results)
    return ", ".join(folders)
