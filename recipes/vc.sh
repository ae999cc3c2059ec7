#!/usr/bin/env bash
# The voice conversion recipe, once for every corpus. egs/<corpus>/<exp>/run.sh calls it with its own path, then its choices.
set -euo pipefail

program=${1:?"this is called by egs/<corpus>/<exp>/run.sh"}
shift
recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
recipe=$(cd "$(dirname "$program")" && pwd)
command_line="$program $*"

stage=1
stop_stage=6
jobs=$(env -u OMP_NUM_THREADS nproc 2>/dev/null || echo 1)
corpus=""
domains=""
experiment=cyclegan_vc2_small
features=""
data=""
dump=""
exp=""
train_options=""
metrics=""
help_message="usage: run.sh [options]

Trains a voice converter and scores it. Everything is written beside run.sh, unless named otherwise. Stages:
  1 data      local/data.sh gathers the corpus; voiceconv prepare writes DATA/{train,val,test}
  2 extract   voiceconv extract writes the features to DUMP
  3 stats     voiceconv stats writes DUMP/train/stats.safetensors
  4 train     voiceconv train writes EXP/checkpoints and EXP/model; called again, it goes on where it stopped
  5 convert   voiceconv convert: DATA/test in every direction, to EXP/converted/SOURCE-TARGET, and to
              EXP/statistics with the statistics alone, which the network has to beat
  6 evaluate  voiceconv evaluate writes EXP/scores/SOURCE-TARGET.json, and the unconverted source's beside it for
              comparison; EXP/RESULTS.md has the table

  --stage N              first stage to run ($stage)
  --stop-stage N         last stage to run ($stop_stage)
  --jobs N               parallel processes of stage 2 (one per core: $jobs)
  --corpus DIR           the corpus where you have it already; without it local/data.sh downloads it
  --domains \"A B\"        speakers to convert between (the corpus's own choice)
  --experiment NAME      an experiment of voiceconv/conf/experiment or of conf/experiment here ($experiment)
  --features NAME        features, where they are not the experiment's
  --data DIR             prepared data (data)
  --dump DIR             features (dump)
  --exp DIR              the run: checkpoints, model, results, logs (exp/EXPERIMENT)
  --train-options STR    overrides for voiceconv train, such as \"trainer.n_steps=50000 seed=1\"
  --metrics STR          further options for voiceconv evaluate, such as \"--metric mel_cepstral_distortion\"
  --help                 this text

Log files: EXP/log. Exit code: 0 done, 1 a stage failed, 2 wrong usage."
# shellcheck source=recipes/parse_options.sh
. "$recipes/parse_options.sh"
[ $# -eq 0 ] || parse_options_fail "unexpected argument '$1'"
[ -x "$recipe/local/data.sh" ] || parse_options_fail "there is no $recipe/local/data.sh"

fail() {
  echo "$(basename "$program"): error: $1" >&2
  exit 1
}

for name in corpus data dump exp; do # as the caller wrote them: relative to where the caller is
  [[ -z ${!name} || ${!name} = /* ]] || printf -v "$name" '%s/%s' "$PWD" "${!name}"
done
cd "$recipe"
data=${data:-data}
dump=${dump:-dump}
exp=${exp:-exp/$experiment}

if ! command -v voiceconv > /dev/null && [ -x "$recipes/../.venv/bin/voiceconv" ]; then
  PATH=$(cd "$recipes/../.venv/bin" && pwd):$PATH # what 'make demo' and 'make test' install
fi
command -v voiceconv > /dev/null || fail "voiceconv is not installed; run 'make install' at the top of the repository"
mkdir -p "$exp/log"
search=() # the recipe's own experiments, beside those of the package
[ ! -d conf ] || search=(--config-dir "$recipe/conf")

# run NAME COMMAND...: what the command prints goes to the screen and to EXP/log/NAME.log. Its progress bars and errors, on
# stderr, stay on a terminal as they are, and go to the log where there is none.
run() {
  local name=$1 log=$exp/log/$1.log
  shift
  {
    printf '# %s\n#' "$(date '+%F %T')"
    printf ' %q' "$@"
    printf '\n'
  } > "$log"
  if [ -t 2 ]; then
    "$@" | tee -a "$log" || fail "$name failed, as said above"
  else
    COLUMNS=${COLUMNS:-160} "$@" 2>&1 | tee -a "$log" || fail "$name failed; see $log"
  fi
}

wanted() {
  [ "$stage" -le "$1" ] && [ "$1" -le "$stop_stage" ] || return 1
  echo "$(date '+%T') stage $1: $2"
}

# list_directions: sets the array directions to every ordered pair of the prepared domains, "SOURCE TARGET" each.
list_directions() {
  local source target names
  names=$(cut -d' ' -f2- "$data/train/utt2spk" | LC_ALL=C sort -u)
  directions=()
  for source in $names; do
    for target in $names; do
      [ "$source" = "$target" ] || directions+=("$source $target")
    done
  done
}

# link_unconverted: EXP/unconverted/DOMAIN has the test recordings under their utterances' names.
link_unconverted() {
  local utterance path domain
  declare -A domain_of=()
  while read -r utterance domain; do domain_of[$utterance]=$domain; done < "$data/test/utt2spk"
  while read -r utterance path; do
    mkdir -p "$exp/unconverted/${domain_of[$utterance]}"
    ln -sfn "$path" "$exp/unconverted/${domain_of[$utterance]}/$utterance.${path##*.}"
  done < "$data/test/wav.scp"
}

# score FOLDER TARGET NAME: EXP/scores/NAME.json
score() {
  local options
  read -r -a options <<< "$metrics"
  run "evaluate.$3" voiceconv evaluate "$1" --reference "$data/test" --target-train "$data/train" --target "$2" \
    -o "$exp/scores/$3.json" ${options[@]+"${options[@]}"}
}

if wanted 1 "data"; then
  run data local/data.sh ${corpus:+--corpus "$corpus"} ${domains:+--domains "$domains"} "$data/local"
  run prepare voiceconv prepare "$data/local/wav" "$data" --lists "$data/local/splits"
fi

if wanted 2 "extract"; then
  run extract voiceconv extract "$data" "$dump" --features "${features:-experiment=$experiment}" --jobs "$jobs" \
    ${search[@]+"${search[@]}"}
fi

if wanted 3 "stats"; then
  run stats voiceconv stats "$dump/train"
fi

if wanted 4 "train"; then
  read -r -a overrides <<< "$train_options"
  run train voiceconv train ${search[@]+"${search[@]}"} "experiment=$experiment" "data.dump=$dump" "data.waves=$data" "run_dir=$exp" \
    ${overrides[@]+"${overrides[@]}"}
fi

if wanted 5 "convert"; then
  list_directions
  for direction in "${directions[@]}"; do
    read -r source target <<< "$direction"
    convert=(voiceconv convert "$data/test" --source "$source" --target "$target")
    run "convert.$source-$target" "${convert[@]}" --model "$exp" -o "$exp/converted/$source-$target"
    run "statistics.$source-$target" "${convert[@]}" --model baseline:statistics --dump "$dump" -o "$exp/statistics/$source-$target"
  done
fi

if wanted 6 "evaluate"; then
  list_directions
  link_unconverted
  mkdir -p "$exp/scores"
  for direction in "${directions[@]}"; do
    read -r source target <<< "$direction"
    score "$exp/unconverted/$source" "$target" "$source-$target.unconverted"
    score "$exp/statistics/$source-$target" "$target" "$source-$target.statistics"
    score "$exp/converted/$source-$target" "$target" "$source-$target"
  done
  run results "$(dirname "$(command -v voiceconv)")/python" "$recipes/write_results.py" "$exp" \
    "$(git -C "$recipes" describe --always --dirty 2>/dev/null || echo unknown)" "$command_line" \
    "${directions[@]/ /-}"
  echo "results: $exp/RESULTS.md"
fi
