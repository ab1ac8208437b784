"""The people of every sequence in a dataset's xycd table, to a file set for each sequence."""

from __future__ import annotations

from pathlib import Path

from auglift.detection.person_tracks import BUILT_IN
from auglift.detection.table_tracks import COLUMNS, has_metric_depth, tracks_of_table
from auglift.geometry.camera import Camera
from auglift.infer.clip import as_it_is, inferred
from auglift.infer.config import OVERLAY, InferConfig
from auglift.infer.extras import require_extras
from auglift.infer.results import InferredFile, InferResult
from auglift.infer.scene import Scene, lift_people
from auglift.infer.tools import Tools, require_networks
from auglift.lifting.choice import OpenedLifter
from auglift.lifting.lens import Lens
from auglift.lifting.zoo_choice import Given
from auglift.outputs.people3d import LiftedPeople
from auglift.outputs.result_files import VIEWER, plan_results, write_people
from auglift.storage.tables import Table, read_table, table_info
from auglift.storage.workspace import Workspace
from auglift.storage.zoo import results_folder


def infer_dataset(tools: Tools) -> InferResult:
    """Everybody in every sequence of a split."""
    config = tools.config
    workspace = Workspace(config.root)
    choice = workspace.find_dataset("xycd", config.dataset, config.split)
    path = workspace.xycd(choice.dataset, config.split)
    metadata = table_info(path, "xycd").metadata
    opened = tools.lifter(Given(has_depth=True, has_features=metadata.n_features > 0))
    spec = opened.lifter.spec
    require_networks(spec, metadata.models)
    features = ("features",) if spec.features.uses_features else ()
    table = read_table(path, "xycd", COLUMNS + features)
    name = f"people_{choice.dataset}_{config.split}"
    folder = config.output or results_folder(opened.path) / name
    sequences = {name: Path(_file_name(name)) for name in table.unique("sequence")}
    formats = [name for name in config.written_formats if name not in (OVERLAY, VIEWER)]
    inputs = [(path, True) for path in sequences.values()]
    jobs = plan_results(inputs, folder, formats, config.overwrite)
    require_extras({kind for job in jobs for kind in job.todo}, BUILT_IN)
    done: list[InferredFile] = []
    with tools.progress(f"lift {choice.dataset}", len(jobs), "sequences") as advance:
        for name, job in zip(sequences, jobs, strict=True):
            if job.todo and not config.dry_run:
                some = table.select(table["sequence"] == name)
                people = _lift_sequence(name, some, opened, config)
                done.append(inferred(job, write_people(job, people), len(some), people))
            else:
                done.append(as_it_is(job))
            advance(1)
    return InferResult(tuple(done))


def _file_name(sequence: str) -> str:
    """h36m/S9/Walking 1.54138969 → h36m_S9_Walking 1_54138969: no folder, no suffix."""
    return sequence.replace("/", "_").replace(".", "_")


def _lift_sequence(
    name: str, table: Table, opened: OpenedLifter, config: InferConfig
) -> LiftedPeople:
    """One sequence's people, whose numbers and camera the table knows."""
    width, height = table["image_wh"][0].tolist()
    distortion = table.metadata.distortion or "none"
    camera = Camera.from_intrinsics(table["intrinsics"][0], (width, height), distortion)
    lens = Lens(camera, "camera: as the dataset says")
    fps = table.metadata.fps_of(name)
    scene = Scene(name, (width, height), fps, lens, has_metric_depth(table))
    return lift_people(scene, tracks_of_table(table, config.max_gap_s), opened, config)
