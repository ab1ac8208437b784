#!/bin/bash
# Stage 4 by a batch file of your own: two machines with eight GPUs each learn one model.
#
#   sbatch examples/slurm/train.sh --arch tcn-243 --variant casp
#
# The batch size stays that of all GPUs together. A run that is interrupted goes back into the queue
# and continues with the epoch that it was at.
#SBATCH --job-name=auglift-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gres=gpu:8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=B:USR2@120
#SBATCH --open-mode=append
#SBATCH --output=auglift-train_%j.log
set -euo pipefail

# Slurm requeues by itself when it takes a node away, but not when the time is up.
trap 'scontrol requeue "$SLURM_JOB_ID"' USR2

first_node="${FIRST_NODE:-$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)}"

srun --kill-on-bad-exit=1 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" \
    torchrun --nnodes="$SLURM_JOB_NUM_NODES" --nproc-per-node="${SLURM_GPUS_ON_NODE:-1}" \
    --rdzv-id="$SLURM_JOB_ID" --rdzv-backend=c10d --rdzv-endpoint="$first_node:29500" \
    -m auglift train "$@" &
wait $!
