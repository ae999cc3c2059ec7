#!/usr/bin/env bash
# The recipe for augmentation by conversion. egs/<corpus>/<exp>/run.sh calls it with its own path, then its options.
set -euo pipefail

program=${1:?"this is called by egs/<corpus>/<exp>/run.sh"}
shift
recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command_line="$program $*"

stage=1
stop_stage=3
jobs=$(env -u OMP_NUM_THREADS nproc 2>/dev/null || echo 1)
corpus=""
domains=""
split=paired
voice=""
unseen=""
targets=kathleen,kerstin
model=""
part=1
n_commands=50
n_seeds=5
n_epochs=100
experiment=augment # its folder's name only
data=""
dump="" # what stages.sh sets, and this recipe does without
exp=""
help_message="usage: run.sh [options]

Trains a small recogniser of commands on one recording of each by one voice, and tests it on another voice: without
augmentation, with speed perturbation, with converted copies, and with both. All outputs are beside run.sh, unless an option
names another place. Stages:
  1 data       local/data.sh gathers the corpus; voiceconv prepare writes DATA/{train,val,test,paired}
  2 augment    voiceconv augment writes EXP/conversion, by the model, and EXP/statistics, by statistics alone
  3 recognise  command_recogniser.py trains and tests; EXP/RESULTS.md has its table

  --stage N        first stage to run ($stage)
  --stop-stage N   last stage to run ($stop_stage)
  --jobs N         parallel processes of stage 2 (one per core: $jobs)
  --nj N           the same, Kaldi's name
  --cmd STR        command that runs stages 2 and 3, such as \"srun -c 8\"; one that ends in .pl is Kaldi's and gets a
                   log file: \"slurm.pl --mem 4G\" (none)
  --corpus DIR     folder of the corpus, if you have it; without it local/data.sh downloads the corpus
  --domains \"A B\"  speakers to prepare (default: those of local/data.sh)
  --split NAME     split with the sentences that both voices say ($split)
  --voice NAME     speaker whose recordings are trained on
  --unseen NAME    speaker whose recordings are the test
  --targets A,B    voices of the copies ($targets)
  --model STR      converter: an absolute path, or the name of a bundled one (default: the bundled one)
  --part N         1: the first commands of the split, those of RESULTS.md; 2: the next, for choosing settings ($part)
  --n-commands N   commands to tell apart ($n_commands)
  --n-seeds N      trainings of each recogniser ($n_seeds)
  --n-epochs N     epochs of each training ($n_epochs)
  --data DIR       prepared data (data)
  --exp DIR        copies, results, logs (exp/$experiment)
  --help           this text

Log files: EXP/log. Exit code: 0 done, 1 a stage failed, 2 wrong usage."
paths="corpus data exp"
# shellcheck source=recipes/stages.sh
. "$recipes/stages.sh"

if wanted 1 "data"; then
  prepare_data
fi

if wanted 2 "augment"; then
  options=(--targets "$targets" --source-domains "$voice" --jobs "$jobs")
  send augment.statistics voiceconv augment "$data/$split" "$exp/statistics" "${options[@]}" --model baseline:statistics
  send augment.conversion voiceconv augment "$data/$split" "$exp/conversion" "${options[@]}" ${model:+--model "$model"}
fi

if wanted 3 "recognise"; then
  send recognise "$python" "$recipes/command_recogniser.py" "$exp/RESULTS.md" --test "$data/$split" --copies "statistics=$exp/statistics" \
    --copies "conversion=$exp/conversion" --voice "$voice" --unseen "$unseen" --part "$part" --n-commands "$n_commands" \
    --n-seeds "$n_seeds" --n-epochs "$n_epochs" --facts "scored at commit: $commit" "command: \`$command_line\`"
fi
