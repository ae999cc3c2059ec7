# shellcheck shell=bash disable=SC2034 # the sourcing script uses these variables
# The common part of all recipes: options, paths, stages and their logs. Before sourcing it, set $program (the called
# run.sh), $paths (the names of options that are paths), the default of every option, and help_message; the options
# --stage, --stop-stage, --data, --dump, --exp and --experiment must exist:
#
#     . "$recipes/stages.sh"
#
# The options --cmd, --nj, --executor and --scheduler have their defaults here; --nj needs $jobs. Afterwards the working
# directory is the recipe's (beside run.sh), $data, $dump and $exp are set, voiceconv is on the PATH,
# and $search has the options with which voiceconv finds the recipe's own experiments.

cmd=""
default_jobs=${jobs:?}
nj=$jobs
is_jobs_given=false
for name in "$@"; do
  case $name in --jobs | --jobs=* | --nj | --nj=*) is_jobs_given=true ;; esac
done
executor=local
scheduler=""

recipe=$(cd "$(dirname "${program:?}")" && pwd)
# shellcheck source=recipes/parse_options.sh
. "${recipes:?}/parse_options.sh"
[ $# -eq 0 ] || parse_options_fail "unexpected argument '$1'"
[ "$nj" = "$default_jobs" ] || jobs=$nj # Kaldi's name of it
[ -x "$recipe/local/data.sh" ] || parse_options_fail "there is no $recipe/local/data.sh"

fail() {
  echo "$(basename "$program"): error: $1" >&2
  exit 1
}

for name in ${paths:?}; do # the caller's relative paths
  [[ ${!name} != *://* ]] || parse_options_fail "option --$name: ${!name} is an address; recipes work in folders"
  [[ -z ${!name} || ${!name} = /* ]] || printf -v "$name" '%s/%s' "$PWD" "${!name}"
  # shellcheck disable=SC2016 # the two characters themselves
  # Known now, not after hours: 'voiceconv train' fills in ${KEY}, and a table has one line for each file.
  if [[ ${!name} = *'${'* || ${!name} = *$'\n'* ]]; then
    parse_options_fail "option --$name: the path '${!name}' has a \${ or a line break in it"
  fi
done
cd "$recipe" || exit 1
data=${data:-data}
dump=${dump:-dump}
exp=${exp:-exp/${experiment:?}}

if ! command -v voiceconv > /dev/null && [ -x "$recipes/../.venv/bin/voiceconv" ]; then
  PATH=$(cd "$recipes/../.venv/bin" && pwd):$PATH # what 'make demo' and 'make test' install
fi
command -v voiceconv > /dev/null || fail "voiceconv is not installed; run 'make install' at the top of the repository"
python=$(dirname "$(command -v voiceconv)")/python
commit=$(git -C "$recipes" describe --always --dirty 2>/dev/null || echo unknown)
mkdir -p "$exp/log"
search=() # the recipe's own experiments, beside those of the package
[ ! -d conf ] || search=(--config-dir "$recipe/conf")

local_jobs=() # else one process per core, of the machine to which --cmd sends the command; a cluster has its own
[ "$is_jobs_given" = false ] || local_jobs=(--jobs "$jobs")
engine=()
case $executor in
  local) ;;
  dask)
    engine=(--executor dask --scheduler "$scheduler")
    [ "$is_jobs_given" = false ] || engine+=(--jobs "$jobs") ;;
  *) engine=(--executor "$executor" --jobs "$jobs") ;;
esac
case $executor-$scheduler in
  local- | slurm- | sge- | dask-?*) ;;
  dask-) parse_options_fail "--executor dask needs --scheduler ADDRESS, such as tcp://node1:8786" ;;
  local-* | slurm-* | sge-*) parse_options_fail "--scheduler $scheduler is for --executor dask" ;;
  *) parse_options_fail "--executor $executor: choose from local, dask, slurm, sge" ;;
esac
[ "$executor" = local ] || local_jobs=()

# run NAME COMMAND...: runs the command; its output goes to the screen and to EXP/log/NAME.log. Its stderr (progress bars,
# errors) goes to the terminal, or to the log if there is no terminal.
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

# send NAME COMMAND...: as run, by --cmd if that is given. A first word in .pl, as Kaldi's slurm.pl, gets EXP/log/NAME.log,
# which it writes, and the command as a script, for it hands its words to a shell without their quotes; any other is a
# prefix, as srun. They don't read what a loop around them reads.
send() {
  local name=$1 log=$exp/log/$1.log script=$exp/log/$1.sh words
  read -r -a words <<< "$cmd"
  shift
  case ${words[0]-} in
    "") run "$name" "$@" ;;
    *.pl)
      [[ $script = /* ]] || script=$PWD/$script
      { printf '%q ' "$@" && echo; } > "$script"
      "${words[@]}" "$log" bash "$script" < /dev/null || fail "$name failed; see $log" ;;
    *) run "$name" "${words[@]}" "$@" < /dev/null ;;
  esac
}

# spread NAME COMMAND...: runs a voiceconv command that takes --executor: there if it is given, else by --cmd.
spread() {
  if [ "$executor" = local ]; then send "$@"; else run "$@" "${engine[@]}"; fi
}

# wanted NUMBER NAME: whether the options ask for this stage; if so, prints its name.
wanted() {
  [ "${stage:?}" -le "$1" ] && [ "$1" -le "${stop_stage:?}" ] || return 1
  echo "$(date '+%T') stage $1: $2"
}

# check_overrides STAGE OVERRIDES: ends the recipe if training, its stage STAGE, would refuse the overrides after hours.
check_overrides() {
  local overrides
  read -r -a overrides <<< "$2"
  [ "$stage" -lt "$1" ] && [ "$1" -le "$stop_stage" ] && [ ${#overrides[@]} -gt 0 ] || return 0
  voiceconv info ${search[@]+"${search[@]}"} "experiment=$experiment" "${overrides[@]}" > /dev/null || exit
}

# domains_of SPLIT: its domains, sorted.
domains_of() {
  cut -d' ' -f2- "$1/utt2spk" | LC_ALL=C sort -u
}

# prepare_data: stage 1 of every recipe.
prepare_data() {
  run data local/data.sh ${corpus:+--corpus "$corpus"} ${domains:+--domains "$domains"} "$data/local"
  run prepare voiceconv prepare "$data/local/wav" "$data" --lists "$data/local/splits"
}
