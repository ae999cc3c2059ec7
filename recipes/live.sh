#!/usr/bin/env bash
# The recipe of a streaming model for every corpus. egs/<corpus>/<exp>/run.sh calls it with its own path, then its options.
set -euo pipefail

program=${1:?"this is called by egs/<corpus>/<exp>/run.sh"}
shift
recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

stage=1
stop_stage=5
jobs=$(env -u OMP_NUM_THREADS nproc 2>/dev/null || echo 1)
corpus=""
domains=""
experiment=streaming_small
teacher=four-voices
teacher_features=experiment=any_to_many
n_targets=2
data=""
dump=""
exp=""
train_options=""
help_message="usage: run.sh [options]

Trains a model that streams: the student of an offline one. All outputs are beside run.sh, unless an option names another
place. Stages:
  1 data      local/data.sh gathers voices for the teacher to convert; voiceconv prepare writes DATA/{train,val,test}
  2 extract   voiceconv extract --waves writes the teacher's features and the waves to DUMP
  3 pairs     voiceconv distill pairs writes what the teacher says to DUMP/pairs
  4 train     voiceconv distill train writes EXP/checkpoints and EXP/model; an interrupted run continues where it stopped
  5 export    voiceconv export --streaming writes EXP/onnx, graphs of one frame with their states

  --stage N               first stage to run ($stage)
  --stop-stage N          last stage to run ($stop_stage)
  --jobs N                parallel processes of stage 2 (one per core: $jobs)
  --nj N                  the same, Kaldi's name
  --cmd STR               command that runs stages 2 to 5, such as \"srun -c 8 --gres gpu:1\"; one that
                          ends in .pl is Kaldi's and gets a log file: \"slurm.pl --mem 4G\" (none)
  --executor NAME         dask, slurm or sge: where stage 2 runs, by docs/clusters.md (local)
  --scheduler ADDRESS     scheduler for --executor dask, such as tcp://node1:8786
  --corpus DIR            folder of the corpus, if you have it; without it local/data.sh downloads the corpus, if it can
  --domains \"A B\"         speakers of the corpus (default: those of local/data.sh)
  --experiment NAME       experiment in voiceconv/conf/experiment or in conf/experiment here ($experiment)
  --teacher MODEL         offline model with WORLD features ($teacher)
  --teacher-features STR  its features, as voiceconv extract takes them ($teacher_features)
  --n-targets N           targets that the teacher converts each recording to ($n_targets)
  --data DIR              prepared data (data)
  --dump DIR              features, waves and pairs (dump)
  --exp DIR               run directory: checkpoints, model, logs (exp/EXPERIMENT)
  --train-options STR     overrides for voiceconv distill train, such as \"trainer.n_steps=50000 seed=1\"
  --help                  this text

benchmarks/streaming_quality.py scores the student beside its teacher. Log files: EXP/log. Exit code: 0 done, 1 a stage
failed, 2 wrong usage."
paths="corpus data dump exp"
# shellcheck source=recipes/stages.sh
. "$recipes/stages.sh"

if wanted 1 "data"; then
  prepare_data
fi

if wanted 2 "extract"; then
  spread extract voiceconv extract "$data" "$dump" --features "$teacher_features" --waves --loudness -23 \
    ${local_jobs[@]+"${local_jobs[@]}"}
fi

if wanted 3 "pairs"; then
  if [ -e "$dump/pairs/train/feats.scp" ]; then
    echo "$dump/pairs is there already"
  else
    send pairs voiceconv distill pairs "$dump" -o "$dump/pairs" --teacher "$teacher" --targets "$n_targets"
  fi
fi

if wanted 4 "train"; then
  read -r -a overrides <<< "$train_options"
  send train voiceconv distill train ${search[@]+"${search[@]}"} "experiment=$experiment" "data.dump=$dump/pairs" "run_dir=$exp" \
    ${overrides[@]+"${overrides[@]}"}
fi

if wanted 5 "export"; then
  rm -rf "$exp/onnx"
  send export voiceconv export "$exp" -o "$exp/onnx" --streaming
fi
