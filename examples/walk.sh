#!/usr/bin/env bash
# All six stages on a small dataset of the virtual world, from an empty folder, offline.
# Usage: examples/walk.sh [FOLDER]     (running it again resumes)
set -euo pipefail

export AUGLIFT_ROOT="${1:-walk}"

auglift film --scene lab --size 0.15 --rate-hz 5 --seconds 1 --train-subjects 2 --test-subjects 1 \
    --action squat --action wave --workers 2
auglift preprocess --dataset virtual
auglift detect-depth --dataset virtual --shard 1/2   # what two machines would do,
auglift detect-depth --dataset virtual --shard 2/2   # one after the other
auglift merge --dataset virtual
auglift train --arch tcn --variant casp --frames 1 --epochs 3 --set model.channels=64
auglift evaluate --protocol p2

# Every command prints one JSON document for scripts.
auglift evaluate --protocol p1 --json | python -c 'import json, sys
print("P1 is", round(json.load(sys.stdin)["results"][0]["overall"], 1), "mm after three epochs")'
