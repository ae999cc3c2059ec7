# shellcheck shell=bash disable=SC2034 # what is set here is for whoever sources it
# What every recipe needs: options, paths, the stages and their logs. Source it after setting $program (the run.sh that was
# called), $paths (the names of options that are paths), every option's default and help_message, which say --stage,
# --stop-stage, --data, --dump, --exp and --experiment:
#
#     . "$recipes/stages.sh"
#
# It leaves the working directory at the recipe's own (beside run.sh), $data, $dump and $exp filled in, voiceconv on the PATH,
# and $search, the options that make voiceconv find the recipe's own experiments.

recipe=$(cd "$(dirname "${program:?}")" && pwd)
# shellcheck source=recipes/parse_options.sh
. "${recipes:?}/parse_options.sh"
[ $# -eq 0 ] || parse_options_fail "unexpected argument '$1'"
[ -x "$recipe/local/data.sh" ] || parse_options_fail "there is no $recipe/local/data.sh"

fail() {
  echo "$(basename "$program"): error: $1" >&2
  exit 1
}

for name in ${paths:?}; do # as the caller wrote them: relative to where the caller is
  [[ -z ${!name} || ${!name} = /* ]] || printf -v "$name" '%s/%s' "$PWD" "${!name}"
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

# wanted NUMBER NAME: whether the stage is asked for; says so.
wanted() {
  [ "${stage:?}" -le "$1" ] && [ "$1" -le "${stop_stage:?}" ] || return 1
  echo "$(date '+%T') stage $1: $2"
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
