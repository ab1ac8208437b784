"""`auglift infer`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from auglift.cli.options import MODEL
from auglift.cli.session import Session
from auglift.errors import UsageError
from auglift.infer import InferConfig, InferResult

INPUT, CAMERA, OUTPUT = "Input", "Camera and world", "Output"


def infer(
    session: Session,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Pictures, folders or patterns of pictures, videos, or 2D keypoints.",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", help="Instead: every sequence of a dataset.", rich_help_panel=INPUT
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="Its split (default test).", rich_help_panel=INPUT),
    ] = None,
    camera: Annotated[
        int | None,
        typer.Option("--camera", help="Instead: camera 0, 1, …; online.", rich_help_panel=INPUT),
    ] = None,
    online: Annotated[
        bool | None,
        typer.Option(
            "--online",
            help="Frame by frame, without looking ahead; a line of JSON each on stdout.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder; default: beside each input.", rich_help_panel=OUTPUT
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--formats",
            help="Of json,npz,mp4,html (default: these), parquet,csv,trc,bvh,c3d,rrd.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    video: Annotated[
        bool | None,
        typer.Option("--video/--no-video", help="Whether mp4 is written.", rich_help_panel=OUTPUT),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            help="Run's name or folder, .safetensors file, or lifter of the zoo; "
            "default: the newest run that fits.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    person_model: Annotated[
        str | None,
        typer.Option("--person-model", help="Card or ONNX file.", rich_help_panel=MODEL),
    ] = None,
    pose_model: Annotated[
        str | None, typer.Option("--pose-model", help="Card or ONNX file.", rich_help_panel=MODEL)
    ] = None,
    depth_model: Annotated[
        str | None, typer.Option("--depth-model", help="Card or ONNX file.", rich_help_panel=MODEL)
    ] = None,
    model_dir: Annotated[
        Path | None,
        typer.Option("--model-dir", help="Folder of model files.", rich_help_panel=MODEL),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            "--fps",
            help="Rate of pictures and keypoints (default 25); videos know theirs.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    image_wh: Annotated[
        tuple[int, int] | None,
        typer.Option(
            "--image-wh",
            help="Width and height of the pictures that keypoints belong to.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    keypoint_skeleton: Annotated[
        str | None,
        typer.Option(
            "--keypoint-skeleton",
            help="Joint set of keypoints: coco_17 (default), h36m_17, …",
            rich_help_panel=INPUT,
        ),
    ] = None,
    fov: Annotated[
        float | None,
        typer.Option(
            "--fov",
            help="Degrees that the camera sees along the longer side; default: EXIF, or 53 from "
            "corner to corner.",
            rich_help_panel=CAMERA,
        ),
    ] = None,
    intrinsics: Annotated[
        str | None,
        typer.Option("--intrinsics", help="fx,fy,cx,cy in pixels.", rich_help_panel=CAMERA),
    ] = None,
    height: Annotated[
        float | None,
        typer.Option(
            "--height",
            help="The people's stature in metres, which fixes size and distance.",
            rich_help_panel=CAMERA,
        ),
    ] = None,
    up: Annotated[
        str | None,
        typer.Option("--up", help="The world's axis up: y (default) or z.", rich_help_panel=CAMERA),
    ] = None,
    smooth: Annotated[
        str | None,
        typer.Option(
            "--smooth",
            help="butterworth (default), one-euro (online), savgol, gaussian, median, none.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
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
