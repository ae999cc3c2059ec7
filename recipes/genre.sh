#!/usr/bin/env bash
# The recipe for genres of MIDI files. egs/<corpus>/<exp>/run.sh calls it with its own path, then its options.
set -euo pipefail

program=${1:?"this is called by egs/<corpus>/<exp>/run.sh"}
shift
recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command_line="$program $*"

stage=1
stop_stage=7
jobs=$(env -u OMP_NUM_THREADS nproc 2>/dev/null || echo 1)
corpus=""
domains=""
experiment=""
train_options=""
classifier_steps=2000
n_songs=5
data=""
dump=""
exp=""
help_message="usage: run.sh [options]

From two folders of MIDI files to a model that converts each genre into the other, and its scores. All outputs are beside
run.sh, unless an option names another place. Stages:
  1 data      local/data.sh finds the files; voiceconv prepare writes DATA/{train,val,test}
  2 extract   voiceconv extract writes piano rolls into DUMP
  3 stats     voiceconv stats: the domains of DUMP
  4 classify  voiceconv genre train writes EXP/classifier, which judges
  5 train     voiceconv train, in EXP; the same command continues an interrupted run
  6 score     voiceconv genre score writes EXP/scores.json and EXP/RESULTS.md; genre page EXP/report.html
  7 convert   voiceconv convert writes songs of the test into EXP/songs

  --stage N               first stage to run ($stage)
  --stop-stage N          last stage to run ($stop_stage)
  --jobs N                parallel processes of stage 2 (one per core: $jobs)
  --nj N                  the same, Kaldi's name
  --cmd STR               command that runs stages 2 to 5 and 7, such as \"srun -c 8 --gres gpu:1\"; one that
                          ends in .pl is Kaldi's and gets a log file: \"slurm.pl --mem 4G\" (none)
  --executor NAME         dask, slurm or sge: where stages 2 and 7 run, by docs/clusters.md (local)
  --scheduler ADDRESS     scheduler for --executor dask, such as tcp://node1:8786
  --corpus DIR            folder of the corpus
  --domains \"A B\"         genres to prepare (default: those of local/data.sh)
  --experiment NAME       experiment to train
  --train-options STR     overrides for voiceconv train, such as \"trainer.n_steps=2000\"
  --classifier-steps N    steps of the classifier ($classifier_steps)
  --n-songs N             songs of each genre that stage 7 converts ($n_songs)
  --data DIR              prepared data (data)
  --dump DIR              piano rolls (dump)
  --exp DIR               model, scores, logs (exp/NAME)
  --help                  this text

Log files: EXP/log. Exit code: 0 done, 1 a stage failed, 2 wrong usage."
paths="corpus data dump exp"
# shellcheck source=recipes/stages.sh
. "$recipes/stages.sh"
check_overrides 5 "$train_options"

if wanted 1 "data"; then
  run data local/data.sh ${corpus:+--corpus "$corpus"} ${domains:+--domains "$domains"} "$data/local"
  run prepare voiceconv prepare "$data/local/wav" "$data" ${search[@]+"${search[@]}"} --features "experiment=$experiment"
fi

if wanted 2 "extract"; then
  spread extract voiceconv extract "$data" "$dump" ${search[@]+"${search[@]}"} --features "experiment=$experiment" \
    ${local_jobs[@]+"${local_jobs[@]}"}
fi

if wanted 3 "stats"; then
  send stats voiceconv stats "$dump/train"
fi

if wanted 4 "classify"; then
  send classify voiceconv genre train "$dump" -o "$exp/classifier" --steps "$classifier_steps"
fi

if wanted 5 "train"; then
  read -r -a overrides <<< "$train_options"
  send train voiceconv train ${search[@]+"${search[@]}"} "experiment=$experiment" "data.dump=$dump" "run_dir=$exp" \
    ${overrides[@]+"${overrides[@]}"}
fi

if wanted 6 "score"; then
  run score voiceconv genre score "$dump" --classifier "$exp/classifier" --model "$exp" -o "$exp/scores.json"
  {
    printf '# Genres of MIDI files\n\nscored at commit: %s\n\n    %s\n\n' "$commit" "$command_line"
    printf 'classifier, accuracy on phrases of the test:\n\n'
    grep '^noise' "$exp/log/classify.log" | sed 's/^/- /'
    printf '\n'
    sed -n '/^|/,$p' "$exp/log/score.log"
  } > "$exp/RESULTS.md.new"
  mv "$exp/RESULTS.md.new" "$exp/RESULTS.md"
  if "$python" -c 'import jinja2, matplotlib' 2> /dev/null; then
    run page voiceconv genre page "$dump" --classifier "$exp/classifier" --model "$exp" -o "$exp/report.html"
  else
    echo "no report.html: pip install 'voiceconv[report]'"
  fi
fi

if wanted 7 "convert"; then
  while read -r source; do
    while read -r target; do
      [ "$source" != "$target" ] || continue
      mapfile -t songs < <(awk -v domain="$source" -v n="$n_songs" \
        'NR == FNR { of[$1] = $2; next } of[$1] == domain && n-- > 0 { print substr($0, index($0, " ") + 1) }' \
        "$data/test/utt2spk" "$data/test/wav.scp")
      spread "convert.$source" voiceconv convert "${songs[@]}" --model "$exp" --source "$source" --target "$target" \
        -o "$exp/songs/$source-$target/"
    done < <(domains_of "$data/test")
  done < <(domains_of "$data/test")
fi
