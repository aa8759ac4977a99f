#!/usr/bin/env bash
# Fine-tunes GLM-4.5-Air with slime on the data that lies beside this script. Start it in slime's
# folder on the head node of a Ray cluster that sees this folder; further arguments are slime's own
# and win. The hyperparameters are LIMI's (arXiv 2509.17567).
set -euo pipefail

DATA=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MODEL=${MODEL:-glm4.5-106B-A12B}  # scripts/models/$MODEL.sh in slime's folder
HF_CHECKPOINT=${HF_CHECKPOINT:?set it to the folder of the model}
REF_LOAD=${REF_LOAD:?set it to the same weights as slime converted them to torch_dist}
SAVE=${SAVE:?set it to where checkpoints go, and where a stopped run goes on from}
NODES=${NODES:-8}  # of 8 GPUs

# slime takes whole batches alone: with fewer rows than a batch there would be no step at all.
ROWS=$(wc -l < "$DATA/train.jsonl")
BATCH=${BATCH:-$((ROWS < 64 ? ROWS : 64))}

source "scripts/models/$MODEL.sh"  # MODEL_ARGS

# Eight GPUs share a sample, 16384 ids each: 131072. A beginning; what fits is your machines'.
PERF_ARGS=(
  --tensor-model-parallel-size 4 --sequence-parallel
  --pipeline-model-parallel-size 2 --context-parallel-size 8
  --expert-model-parallel-size 8 --expert-tensor-parallel-size 1
  --recompute-granularity full --recompute-method uniform --recompute-num-layers 1
  --use-dynamic-batch-size --max-tokens-per-gpu 16384
  --optimizer-cpu-offload --overlap-cpu-optimizer-d2h-h2d --use-precision-aware-optimizer
)

ray job submit --address "${RAY_ADDRESS:-http://127.0.0.1:8265}" \
  --runtime-env-json "{\"env_vars\": {\"PYTHONPATH\": \"/root/Megatron-LM:$DATA\",
    \"CUDA_DEVICE_MAX_CONNECTIONS\": \"1\"}}" \
  -- python3 train_async.py \
  --actor-num-nodes "$NODES" --actor-num-gpus-per-node 8 \
  "${MODEL_ARGS[@]}" "${PERF_ARGS[@]}" \
  --hf-checkpoint "$HF_CHECKPOINT" --ref-load "$REF_LOAD" \
  --load "$SAVE" --save "$SAVE" --save-interval 100 \
  --prompt-data "$DATA/train.jsonl" --input-key prompt --metadata-key metadata \
  --rollout-function-path sii_rollout.generate_rollout \
  --rollout-shuffle --n-samples-per-prompt 1 \
  --num-epoch 4 --rollout-batch-size "$BATCH" --global-batch-size "$BATCH" \
  --loss-type sft_loss --calculate-per-token-loss \
  --disable-compute-advantages-and-returns --debug-train-only \
  --optimizer adam --adam-beta1 0.9 --adam-beta2 0.98 \
  --lr 1e-5 --min-lr 1e-6 --lr-decay-style cosine \
  --attention-dropout 0.0 --hidden-dropout 0.0 \
  --accumulate-allreduce-grads-in-fp32 --attention-softmax-in-fp32 --attention-backend flash \
  "$@"
