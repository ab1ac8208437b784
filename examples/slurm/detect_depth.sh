#!/bin/bash
# Stage 2 by a batch file of your own: twenty shards in an array job.
#
#   sbatch examples/slurm/detect_depth.sh                  all of h36m
#   sbatch --array=3,7 examples/slurm/detect_depth.sh      two shards once more
#   DATASET=3dpw sbatch examples/slurm/detect_depth.sh --mode paper
#
# A task takes its number from the array; the count is what the whole was cut into, however few
# tasks are submitted. One that is interrupted goes back into the queue and continues with the part
# that it was at. How far all are: auglift detect-depth --status --shards 20
#SBATCH --job-name=auglift-detect-depth
#SBATCH --array=1-20
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=12
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --signal=B:USR2@120
#SBATCH --open-mode=append
#SBATCH --output=auglift-detect-depth_%A_%a.log
set -euo pipefail

# Slurm requeues by itself when it takes a node away, but not when the time is up.
trap 'scontrol requeue "$SLURM_JOB_ID"' USR2

srun --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" \
    auglift detect-depth --dataset "${DATASET:-h36m}" --shard "auto/${SHARDS:-20}" "$@" &
wait $!
