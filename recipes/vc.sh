#!/usr/bin/env bash
# The voice conversion recipe, once for every corpus: egs/<corpus>/<exp>/run.sh calls it with its choices.
set -euo pipefail

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

stage=1
stop_stage=6
jobs=$(nproc 2>/dev/null || echo 1)
corpus=""
domains=""
experiment=cyclegan_vc2_small
features=""
data=data
dump=dump
exp=""
train_options=""
metrics=""
help_message="usage: run.sh [options]

Trains a voice converter and scores it, in the folder that it is called from. Stages:
  1 data      local/data.sh gathers the corpus; voiceconv prepare writes DATA/{train,val,test}
  2 extract   voiceconv extract writes the features to DUMP
  3 stats     voiceconv stats writes DUMP/train/stats.safetensors
  4 train     voiceconv train writes EXP/checkpoints and EXP/model; called again, it goes on where it stopped
  5 convert   voiceconv convert: DATA/test in every direction, to EXP/converted/SOURCE-TARGET
  6 evaluate  voiceconv evaluate writes EXP/scores/SOURCE-TARGET.json; EXP/RESULTS.md gathers them

  --stage N              first stage to run ($stage)
  --stop-stage N         last stage to run ($stop_stage)
  --jobs N               parallel processes of stage 2 (one per core: $jobs)
  --corpus DIR           the corpus where you have it already; without it local/data.sh downloads it
  --domains \"A B\"        speakers to convert between (the corpus's own choice)
  --experiment NAME      an experiment of voiceconv/conf/experiment or of conf/experiment here ($experiment)
  --features NAME        features, where they are not the experiment's
  --data DIR             prepared data ($data)
  --dump DIR             features ($dump)
  --exp DIR              the run: checkpoints, model, results, logs (exp/EXPERIMENT)
  --train-options STR    overrides for voiceconv train, such as \"trainer.steps=50000 seed=1\"
  --metrics STR          further options for voiceconv evaluate
  --help                 this text

Log files: EXP/log. Exit code: 0 done, 1 a stage failed, 2 wrong usage."
command_line="$0 $*"
# shellcheck source=recipes/parse_options.sh
. "$recipes/parse_options.sh"
[ $# -eq 0 ] || parse_options_fail "unexpected argument '$1'"
[ -x local/data.sh ] || parse_options_fail "no local/data.sh in $PWD; call it from an egs/<corpus>/<exp> folder"

exp=${exp:-exp/$experiment}
if ! command -v voiceconv > /dev/null && [ -x "$recipes/../.venv/bin/voiceconv" ]; then
  PATH=$(cd "$recipes/../.venv/bin" && pwd):$PATH # what 'make demo' and 'make test' install
fi
if ! command -v voiceconv > /dev/null; then
  echo "$(basename "$0"): error: voiceconv is not installed; run 'make demo' at the top of the repository" >&2
  exit 1
fi
mkdir -p "$exp/log"

# run NAME COMMAND...: the command's output goes to the screen and to EXP/log/NAME.log.
run() {
  local name=$1
  shift
  {
    printf '# %s\n#' "$(date '+%F %T')"
    printf ' %q' "$@"
    printf '\n'
  } > "$exp/log/$name.log"
  "$@" 2>&1 | tee -a "$exp/log/$name.log" || {
    echo "$(basename "$0"): error: stage $name failed; see $exp/log/$name.log" >&2
    exit 1
  }
}

wanted() {
  [ "$stage" -le "$1" ] && [ "$1" -le "$stop_stage" ] || return 1
  echo "$(date '+%T') stage $1: $2"
}

# directions: every ordered pair of the domains that were prepared, "SOURCE TARGET" a line.
directions() {
  local source target names
  names=$(cut -d' ' -f2- "$data/train/utt2spk" | LC_ALL=C sort -u)
  for source in $names; do
    for target in $names; do
      [ "$source" = "$target" ] || echo "$source $target"
    done
  done
}

if wanted 1 "data"; then
  run data local/data.sh ${corpus:+--corpus "$corpus"} ${domains:+--domains "$domains"} "$data/local"
  run prepare voiceconv prepare "$data/local/wav" "$data" --lists "$data/local/splits"
fi

if wanted 2 "extract"; then
  run extract voiceconv extract "$data" "$dump" --features "${features:-experiment=$experiment}" --jobs "$jobs"
fi

if wanted 3 "stats"; then
  run stats voiceconv stats "$dump/train"
fi

if wanted 4 "train"; then
  read -r -a overrides <<< "$train_options"
  run train voiceconv train "experiment=$experiment" "data.dump=$dump" "data.data=$data" "run_dir=$exp" \
    ${overrides[@]+"${overrides[@]}"}
fi

if wanted 5 "convert"; then
  while read -r source target; do
    run "convert.$source-$target" voiceconv convert "$data/test" --source "$source" --target "$target" \
      --model "$exp" -o "$exp/converted/$source-$target"
  done < <(directions)
fi

if wanted 6 "evaluate"; then
  mkdir -p "$exp/scores"
  read -r -a options <<< "$metrics"
  while read -r source target; do
    run "evaluate.$source-$target" voiceconv evaluate "$exp/converted/$source-$target" --reference "$data/test" \
      --target-train "$data/train" --target "$target" -o "$exp/scores/$source-$target.json" \
      ${options[@]+"${options[@]}"}
  done < <(directions)
  {
    printf '# Results of %s\n\n' "$exp"
    printf -- '- command: `%s`\n' "$command_line"
    printf -- '- commit: %s\n' "$(git -C "$recipes" describe --always --dirty 2>/dev/null || echo unknown)"
    printf -- '- finished: %s, %s, %s cores\n' "$(date '+%F %T')" "$(uname -sm)" "$(nproc 2>/dev/null || echo '?')"
    while read -r source target; do
      printf '\n## %s to %s\n\n```\n' "$source" "$target"
      sed 1,2d "$exp/log/evaluate.$source-$target.log"
      printf '```\n'
    done < <(directions)
  } > "$exp/RESULTS.md"
  echo "results: $exp/RESULTS.md"
fi
