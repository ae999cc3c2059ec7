#!/usr/bin/env bash
# The vocoder recipe for every corpus. egs/<corpus>/<exp>/run.sh calls it with its own path, then its options.
set -euo pipefail

program=${1:?"this is called by egs/<corpus>/<exp>/run.sh"}
shift
recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command_line="$program $*"

stage=1
stop_stage=5
jobs=$(env -u OMP_NUM_THREADS nproc 2>/dev/null || echo 1)
corpus=""
domains=""
experiment=vocos_small
data=""
dump=""
exp=""
train_options=""
held_out=""
held_out_options=""
rivals="griffin_lim world"
metrics="--metric pesq --metric stoi --metric stft_distance --metric dnsmos --metric f0_error --metric copy_voicing_error"
help_message="usage: run.sh [options]

Trains a vocoder and scores its copies of recordings. All outputs are beside run.sh, unless an option names another place. Stages:
  1 data      local/data.sh gathers the corpus; voiceconv prepare writes DATA/{train,val,test}
  2 extract   voiceconv extract --waves writes the experiment's mel spectrograms and the waves to DUMP
  3 train     voiceconv vocoder train writes EXP/checkpoints and EXP/model; an interrupted run continues where it
              stopped
  4 copy      voiceconv resynth copies DATA/test with the vocoder and with each rival, to EXP/copies/all/NAME
  5 evaluate  voiceconv evaluate writes EXP/scores/all.json for the vocoder and all.NAME.json for the others and for the
              recordings themselves; EXP/RESULTS.md has the table

  --stage N              first stage to run ($stage)
  --stop-stage N         last stage to run ($stop_stage)
  --jobs N               parallel processes of stages 2 and 5 (one per core: $jobs)
  --nj N                 the same, Kaldi's name
  --cmd STR              command that runs stages 2 to 5, such as \"srun -c 8 --gres gpu:1\"; one that
                         ends in .pl is Kaldi's and gets a log file: \"slurm.pl --mem 4G\" (none)
  --executor NAME        dask, slurm or sge: where stages 2 and 5 run, by docs/clusters.md (local)
  --scheduler ADDRESS    scheduler for --executor dask, such as tcp://node1:8786
  --corpus DIR           folder of the corpus, if you have it; without it local/data.sh downloads the corpus, if it can
  --domains \"A B\"        speakers to train on (default: those of local/data.sh)
  --experiment NAME      vocoder experiment in voiceconv/conf/experiment or in conf/experiment here ($experiment)
  --data DIR             prepared data (data)
  --dump DIR             features and waves (dump)
  --exp DIR              run directory: checkpoints, model, results, logs (exp/EXPERIMENT)
  --train-options STR    overrides for voiceconv vocoder train, such as \"trainer.n_steps=50000 seed=1\"
  --held-out SPEAKER     train a second vocoder without this speaker, in EXP/without-SPEAKER, and compare both on the
                         speaker's part of DATA/test: the quality lost for an unseen speaker
  --held-out-options STR further overrides for this second training, for example fewer steps
  --rivals STR           vocoders to compare with: griffin_lim (on the vocoder's own mel), world ($rivals)
  --metrics STR          options for voiceconv evaluate (PESQ, STOI, STFT distance, DNSMOS, F0 and voicing error)
  --help                 this text

Log files: EXP/log. Exit code: 0 done, 1 a stage failed, 2 wrong usage."
paths="corpus data dump exp"
# shellcheck source=recipes/stages.sh
. "$recipes/stages.sh"

# train NAME DUMP EXP [OVERRIDE...]
train() {
  send "$1" voiceconv vocoder train ${search[@]+"${search[@]}"} "experiment=$experiment" "data.dump=$2" "run_dir=$3" "${@:4}"
}

# leave_out SPEAKER: EXP/without-SPEAKER/dump is DUMP/{train,val} less the speaker, without a copy of what lies in them.
leave_out() {
  local split from to kind
  domains_of "$dump/train" | grep -qxF -e "$1" || fail "no speaker '$1' in $dump/train: choose from $(domains_of "$dump/train" | xargs)"
  for split in train val; do
    from=$(cd "$dump/$split" && pwd)
    to=$exp/without-$1/dump/$split
    mkdir -p "$to"
    cp "$from/features.yaml" "$from/processing.yaml" "$to"
    awk -v speaker="$1" '$2 != speaker' "$from/utt2spk" > "$to/utt2spk"
    for kind in feats waves; do
      FROM=$from awk 'NR == FNR { kept[$1]; next } $1 in kept { id = $1; sub(/^[^ ]* /, ""); print id, ENVIRON["FROM"] "/" $0 }' \
        "$to/utt2spk" "$from/$kind.scp" > "$to/$kind.scp"
    done
  done
}

# list_sections: sets the array sections to what has a table of its own.
list_sections() {
  sections=(all)
  [ -z "$held_out" ] || sections+=("$held_out")
}

# list_systems SECTION: sets the array systems to what makes copies.
list_systems() {
  read -r -a systems <<< "model $rivals"
  [ "$1" = all ] || systems+=(held_out)
}

# list_speaker SECTION OPTION: sets the array speaker to the option that takes the section's part of DATA/test.
list_speaker() {
  speaker=()
  [ "$1" = all ] || speaker=("$2" "$1")
}

# score NAME COPIES [OPTION...]: EXP/scores/NAME.json
score() {
  local options
  read -r -a options <<< "$metrics"
  spread "evaluate.$1" voiceconv evaluate "$2" --copy-of "$data/test" ${local_jobs[@]+"${local_jobs[@]}"} "${options[@]}" "${@:3}" -o "$exp/scores/$1.json"
}

check_overrides 3 "$train_options $held_out_options"

if wanted 1 "data"; then
  prepare_data
fi

if wanted 2 "extract"; then
  spread extract voiceconv extract "$data" "$dump" --features "experiment=$experiment" --waves ${local_jobs[@]+"${local_jobs[@]}"} \
    ${search[@]+"${search[@]}"}
fi

if wanted 3 "train"; then
  [ -z "$held_out" ] || leave_out "$held_out" # a wrong name ends it here, not after hours
  read -r -a overrides <<< "$train_options"
  train train "$dump" "$exp" ${overrides[@]+"${overrides[@]}"}
  if [ -n "$held_out" ]; then
    read -r -a more <<< "$held_out_options"
    train "train.without-$held_out" "$exp/without-$held_out/dump" "$exp/without-$held_out" \
      ${overrides[@]+"${overrides[@]}"} ${more[@]+"${more[@]}"}
  fi
fi

if wanted 4 "copy"; then
  list_sections
  for section in "${sections[@]}"; do
    list_systems "$section"
    list_speaker "$section" --domain
    for system in "${systems[@]}"; do
      case $system in
        model) how=(--vocoder "$exp") ;;
        held_out) how=(--vocoder "$exp/without-$held_out") ;;
        griffin_lim) how=(--features "$exp" --vocoder griffin_lim) ;;
        *) how=(--features "$system") ;;
      esac
      send "copy.$section.$system" voiceconv resynth "$data/test" "${how[@]}" ${speaker[@]+"${speaker[@]}"} \
        -o "$exp/copies/$section/$system"
    done
  done
fi

if wanted 5 "evaluate"; then
  list_sections
  mkdir -p "$exp/scores"
  for section in "${sections[@]}"; do
    list_systems "$section"
    list_speaker "$section" --source
    rm -f "$exp/scores/$section".json "$exp/scores/$section".*.json # of other rivals, or another vocoder
    score "$section.recording" "$data/test" ${speaker[@]+"${speaker[@]}"}
    for system in "${systems[@]}"; do
      name=$section.$system
      [ "$system" != model ] || name=$section
      score "$name" "$exp/copies/$section/$system" ${speaker[@]+"${speaker[@]}"}
    done
  done
  run results "$python" "$recipes/write_results.py" copies "$exp" "$commit" "$command_line" "${sections[@]}"
  echo "results: $exp/RESULTS.md"
fi
