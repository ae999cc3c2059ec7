#!/usr/bin/env bash
# Two instruments that play MIDI files: 10 s of each song, once its highest part alone (SONG-line), once all parts
# (SONG-chords). Songs of train are of one instrument each, those of val and test of both. Songs have names of their own; what
# cannot be played is left out, and so are the versions beside a song of POP909.
set -euo pipefail

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../../recipes" && pwd)

corpus=""
domains="violin flute"
help_message="usage: local/data.sh --corpus DIR [--domains \"A B\"] OUT
  --corpus DIR      has MIDI files, in folders or not: POP909 and the Nottingham collection, see ../../midi/genre1/local
  --domains \"A B\"   instruments ($domains): piano harpsichord organ guitar violin cello strings trumpet saxophone oboe
                    clarinet flute"
# shellcheck source=recipes/parse_options.sh
. "$recipes/parse_options.sh"
# shellcheck source=recipes/corpus.sh
. "$recipes/corpus.sh"
[ $# -eq 1 ] || parse_options_fail "give one folder to write to"
out=$1
read -r -a instruments <<< "$domains"
seconds=10
n_songs=160 # at most, evenly from all folders

# program_of INSTRUMENT: its number in General MIDI, from 0.
program_of() {
  local names=(piano:0 harpsichord:6 organ:19 guitar:24 violin:40 cello:42 strings:48 trumpet:56 saxophone:65 oboe:68 \
    clarinet:71 flute:73) name
  for name in "${names[@]}"; do
    [ "${name%:*}" != "$1" ] || { echo "${name#*:}"; return; }
  done
  corpus_fail "no instrument $1; --domains takes those of --help"
}

# play INSTRUMENT SONG...: OUT/played/INSTRUMENT/SONG-{line,chords}.wav, of songs that are not played yet.
play() {
  local program kind songs=("${@:2}")
  local -a options
  program=$(program_of "$1")
  for kind in line chords; do
    options=(--program "$program" --seconds "$seconds" --skip-existing)
    [ $kind = chords ] || options+=(--melody)
    voiceconv render "${songs[@]}" -o "$out/played/$1/$kind/" "${options[@]}" || echo "$1, $kind: left out, as said above"
  done
}

# add INSTRUMENT SPLIT SONG...
add() {
  local song kind stem
  for song in "${@:3}"; do
    stem=$(basename "${song%.*}")
    for kind in line chords; do
      [ ! -f "$out/played/$1/$kind/$stem.wav" ] \
        || add_utterance "$out" "$1" "$2" "$stem-$kind" "$out/played/$1/$kind/$stem.wav"
    done
  done
}

[ -d "$corpus" ] || corpus_fail "there is no folder ${corpus:-of MIDI files}; name one with --corpus"
start_corpus "$out"
mapfile -t all < <(find -L "$corpus" -name '*.mid' -not -path '*/versions/*' | LC_ALL=C sort)
[ ${#all[@]} -ge 10 ] || corpus_fail "$corpus has ${#all[@]} MIDI files; ten are the least"
step=$(( (${#all[@]} + n_songs - 1) / n_songs ))
train=(); val=(); test=()
for ((number = 0; number * step < ${#all[@]}; number++)); do
  song=${all[number * step]}
  case $((number % 10)) in
    0) test+=("$song") ;;
    1) val+=("$song") ;;
    *) train+=("$song") ;;
  esac
done
for place in "${!instruments[@]}"; do
  instrument=${instruments[place]} own=()
  for number in "${!train[@]}"; do
    [ $((number % ${#instruments[@]})) -ne "$place" ] || own+=("${train[number]}")
  done
  play "$instrument" "${own[@]}" "${val[@]}" "${test[@]}"
  add "$instrument" train "${own[@]}"
  add "$instrument" val "${val[@]}"
  add "$instrument" test "${test[@]}"
done
check_corpus "$out" "${instruments[@]}"
