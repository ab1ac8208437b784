"""The flags of `auglift infer`, by what they are about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from auglift.cli.options import MODEL

INPUT, CAMERA, OUTPUT = "Input", "Camera and world", "Output"

Inputs = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Pictures, folders or patterns of pictures, videos, or 2D keypoints.",
        show_default=False,
    ),
]
WholeDataset = Annotated[
    str | None,
    typer.Option("--dataset", help="Instead: every sequence of a dataset.", rich_help_panel=INPUT),
]
Split = Annotated[
    str | None,
    typer.Option("--split", help="Its split (default test).", rich_help_panel=INPUT),
]
Webcam = Annotated[
    int | None,
    typer.Option("--camera", help="Instead: camera 0, 1, …; online.", rich_help_panel=INPUT),
]
Online = Annotated[
    bool | None,
    typer.Option(
        "--online",
        help="Frame by frame, without looking ahead; a line of JSON each on stdout.",
        rich_help_panel=INPUT,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="Folder; default: beside each input.", rich_help_panel=OUTPUT
    ),
]
Formats = Annotated[
    str | None,
    typer.Option(
        "--formats",
        help="Of json,npz,mp4,html (default: these), parquet,csv,trc,bvh,c3d,rrd.",
        rich_help_panel=OUTPUT,
    ),
]
Video = Annotated[
    bool | None,
    typer.Option("--video/--no-video", help="Whether mp4 is written.", rich_help_panel=OUTPUT),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        help="Run's name or folder, .safetensors file, or lifter of the zoo; "
        "default: the newest run that fits, else the zoo's best.",
        rich_help_panel=MODEL,
    ),
]
PersonModel = Annotated[
    str | None,
    typer.Option("--person-model", help="Card or ONNX file.", rich_help_panel=MODEL),
]
PoseModel = Annotated[
    str | None, typer.Option("--pose-model", help="Card or ONNX file.", rich_help_panel=MODEL)
]
DepthModel = Annotated[
    str | None, typer.Option("--depth-model", help="Card or ONNX file.", rich_help_panel=MODEL)
]
ModelDir = Annotated[
    Path | None,
    typer.Option("--model-dir", help="Folder of model files.", rich_help_panel=MODEL),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--fps",
        help="Rate of pictures and keypoints (default 25); videos know theirs.",
        rich_help_panel=INPUT,
    ),
]
ImageSize = Annotated[
    tuple[int, int] | None,
    typer.Option(
        "--image-wh",
        help="Width and height of the pictures that keypoints belong to.",
        rich_help_panel=INPUT,
    ),
]
KeypointSkeleton = Annotated[
    str | None,
    typer.Option(
        "--keypoint-skeleton",
        help="Joint set of keypoints: coco_17 (default), h36m_17, …",
        rich_help_panel=INPUT,
    ),
]
FieldOfView = Annotated[
    float | None,
    typer.Option(
        "--fov",
        help="Degrees that the camera sees along the longer side; default: EXIF, or 53 from "
        "corner to corner.",
        rich_help_panel=CAMERA,
    ),
]
Intrinsics = Annotated[
    str | None,
    typer.Option("--intrinsics", help="fx,fy,cx,cy in pixels.", rich_help_panel=CAMERA),
]
Height = Annotated[
    float | None,
    typer.Option(
        "--height",
        help="The people's stature in metres, which fixes size and distance.",
        rich_help_panel=CAMERA,
    ),
]
Up = Annotated[
    str | None,
    typer.Option("--up", help="The world's axis up: y (default) or z.", rich_help_panel=CAMERA),
]
Smooth = Annotated[
    str | None,
    typer.Option(
        "--smooth",
        help="butterworth (default), one-euro (online), savgol, gaussian, median, none.",
        rich_help_panel=OUTPUT,
    ),
]
