"""Training that streams its table from disk against training in memory: what it costs.

    python bench/train_streamed.py [--seeds 3 --epochs 20 --blocks 8]

Both learn from the same simulated people, with the same seeds. The table in memory is shuffled as a
whole; of the streamed one, a block is an eighth, and two are learned from at a time. Everything is
small, but in the proportions of a large table: a block holds 64 row groups, as it does with
`memory_gb=8`, and hundreds of tracks. Compared are the loss of the last epoch and the error on a
subject who is not learned from (P1, of the best epoch). Not the time: most of it goes into row
groups of 32 rows, a thousandth of usual ones.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

from auglift.lifting.open_tables import open_tables
from auglift.lifting.spec import FeatureConfig
from auglift.lifting.streamed_tables import StreamedTables
from auglift.simulate import SimulateConfig, simulate
from auglift.storage.table_writer import TableWriter
from auglift.storage.tables import read_table
from auglift.storage.workspace import Workspace
from auglift.train import TrainConfig, train

IN_MEMORY_GB = 8.0

# Of a row of `casp`, about; and a quarter of the memory is a block.
ROW_BYTES, BLOCK_SHARE = 1000, 4
GROUPS_IN_BLOCK = 64


def memory_for(path: Path, n_blocks: int) -> float:
    """The `memory_gb` with which an epoch takes about so many blocks; row groups follow."""
    table = read_table(path, "xycd")
    with TableWriter(path, table.metadata, len(table) // n_blocks // GROUPS_IN_BLOCK) as writer:
        writer.append(table.columns)
    memory_gb = BLOCK_SHARE * ROW_BYTES * len(table) / n_blocks / 1e9
    tables = open_tables([(path,)], None, FeatureConfig().columns, memory_gb=memory_gb)
    assert isinstance(tables, StreamedTables)
    n_tracks = sum(len(one.tracks) for one in tables.learned)
    print(f"{tables.learned_rows:,} rows of {n_tracks} tracks, {tables.block_rows:,} in a block")
    return memory_gb


def learn(root: Path, seed: int, memory_gb: float, options: argparse.Namespace) -> dict[str, float]:
    """Loss and error of one training."""
    result = train(
        TrainConfig(
            root=root, name=f"{memory_gb:g}_{seed}", arch="tcn", frames=1, device="cpu",
            model={"channels": 128, "dropout": 0.1}, epochs=options.epochs, lr_decay=0.85,
            seed=seed, memory_gb=memory_gb, curves=False,
        )
    )  # fmt: skip
    last = json.loads((result.run / "logs" / "scalars.json").read_text())[-1]
    return {"loss_mm": 1000 * last["loss"], "p1_mm": result.val_p1_mm}


def main() -> None:
    """Train both ways with every seed, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    defaults = {"seeds": 3, "epochs": 20, "blocks": 8, "subjects": 6, "takes": 4, "views": 4}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        simulate(
            SimulateConfig(
                root=root, train_subjects=options.subjects, test_subjects=1, views=options.views,
                every=2, sequence_rows=10, takes=options.takes, workers=2,
            )
        )  # fmt: skip
        streamed_gb = memory_for(Workspace(root).xycd("virtual", "train"), options.blocks)
        memories = {"in memory": IN_MEMORY_GB, "streamed": streamed_gb}
        found = {
            way: [learn(root, seed, gb, options) for seed in range(options.seeds)]
            for way, gb in memories.items()
        }
    means = {
        way: {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
        for way, runs in found.items()
    }
    print(f"{'':<12}{'last loss mm':>14}{'best P1 mm':>12}")
    for way, mean in means.items():
        print(f"{way:<12}{mean['loss_mm']:>14.2f}{mean['p1_mm']:>12.2f}")
    for way, runs in found.items():
        by_seed = ", ".join(f"{run['loss_mm']:.2f} {run['p1_mm']:.2f}" for run in runs)
        print(f"{way}: loss and P1 by seed: {by_seed}")
    ratios = {
        name: means["streamed"][name] / means["in memory"][name] for name in means["streamed"]
    }
    print("streamed by in memory:", ", ".join(f"{name} {r:.3f}" for name, r in ratios.items()))


if __name__ == "__main__":
    main()
