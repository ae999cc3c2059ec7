# shellcheck shell=bash
# Kaldi-style options. Source it after giving every option's variable a default and after setting help_message:
#
#     stage=1; train_options=""
#     help_message="usage: ... --stage N  first stage ... --train-options STR  ..."
#     . "$recipes/parse_options.sh"
#
# --train-options VALUE and --train-options=VALUE both set $train_options; arguments after the options stay in "$@".
# An option exists when it has a variable and help_message names it, so the usage text is complete. A default that is
# a whole number, or true/false, takes only such values. A wrong option prints the usage and exits 2; --help exits 0.
# Messages begin with the name $program, if it is set.

parse_options_fail() {
  printf '%s: error: %s\n\n%s\n' "$(basename "${program:-$0}")" "$1" "${help_message:?}" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) printf '%s\n' "$help_message"; exit 0 ;;
    --) shift; break ;;
    --*=*) option=${1%%=*}; option_value=${1#*=}; shift ;;
    --*)
      option=$1; shift
      [ $# -gt 0 ] || parse_options_fail "option $option needs a value"
      option_value=$1; shift ;;
    -?*) parse_options_fail "unknown option '$1' (options begin with two dashes)" ;;
    *) break ;;
  esac
  option_name=${option#--}; option_name=${option_name//-/_}
  # The option must be a whole word of the usage text, so --path cannot set $PATH or $path.
  if ! [[ $option_name =~ ^[a-z][a-z0-9_]*$ ]] || [ -z "${!option_name+set}" ] \
    || ! grep -qE -e "(^|[^a-z0-9-])${option}([^a-z0-9-]|\$)" <<< "$help_message"; then
    parse_options_fail "unknown option '$option'"
  fi
  option_default=${!option_name}
  if [[ $option_default =~ ^[0-9]+$ && ! $option_value =~ ^[0-9]+$ ]]; then
    parse_options_fail "option $option takes a whole number, not '$option_value'"
  fi
  if [[ $option_default =~ ^(true|false)$ && ! $option_value =~ ^(true|false)$ ]]; then
    parse_options_fail "option $option takes true or false, not '$option_value'"
  fi
  printf -v "$option_name" '%s' "$option_value"
done
unset option option_name option_value option_default
