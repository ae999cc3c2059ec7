#!/usr/bin/env bash
# The four voices of egs/rhasspy/voc1 as targets, and synthetic voices that read the targets' train sentences, as sources:
# flite's kal and rms, festival's ked, and 26 variants of espeak-ng (English, Dutch and German). Their sentences have the
# targets' stems, so that training knows which frames say the same. flite's awb and slt are left out: they are the unseen
# voices by which settings are chosen.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
recipes=$(cd "$here/../../../../recipes" && pwd)

corpus=""
domains="flemishguy kathleen kerstin nathalie"
help_message="usage: local/data.sh --corpus DIR [--domains \"A B\"] OUT
  --corpus DIR      has SPEAKER/UTTERANCE.flac and SPEAKER/text, as egs/rhasspy/voc1 says
  --domains \"A B\"   targets ($domains)
Needs flite, espeak-ng and festival with festvox-kdlpc16k (Debian's packages of these names)."
# shellcheck source=recipes/parse_options.sh
. "$recipes/parse_options.sh"
# shellcheck source=recipes/corpus.sh
. "$recipes/corpus.sh"
[ $# -eq 1 ] || parse_options_fail "give one folder to write to"
out=$1
for program in flite espeak-ng text2wave; do
  command -v "$program" > /dev/null || corpus_fail "no $program: install flite, espeak-ng, festival and festvox-kdlpc16k"
done

"$here/../../voc1/local/data.sh" --corpus "$corpus" --domains "$domains" "$out"
echo "$domains" > "$out/targets"

variants=(Andy Annie Denis Gene Hugo Linda Marco Michael belinda f1 f2 f3 f4 f5 grandpa klatt2 klatt4 m1 m2 m3 m4 m5 m6 m7 m8
  steph)
spoken=$out/synthetic # kept between calls

# say DOMAIN STEM TEXT COMMAND...: the command writes the file that {} stands for.
say() {
  local domain=$1 stem=$2 text=$3 file
  shift 3
  file=$spoken/$domain/$stem.wav
  if [ ! -s "$file" ]; then
    mkdir -p "$spoken/$domain"
    "${@//\{\}/$file.part}" <<< "$text" > /dev/null 2>&1 || corpus_fail "$1 could not say '$text'"
    mv "$file.part" "$file"
  fi
  add_utterance "$out" "$domain" train "$stem" "$file"
  touch "$out/splits/$domain".{val,test} # of sources only nobody is asked to convert
}

# say_by_variants LANGUAGE N NUMBER STEM TEXT: N variants of espeak-ng, in turns, at speeds and pitches in turns.
say_by_variants() {
  local turn variant
  for ((turn = $2 * $3; turn < $2 * $3 + $2; turn++)); do
    variant=${variants[turn % ${#variants[@]}]}
    say "espeak_$variant" "$4" "$5" espeak-ng -v "$1+$variant" -s $((130 + turn * 7 % 46)) -p $((35 + turn * 11 % 31)) -w {} --stdin
  done
}

for speaker in $domains; do
  case $speaker in kathleen) language=en-us n=4 ;; kerstin) language=de n=2 ;; *) language=nl n=2 ;; esac
  [ -f "$corpus/$speaker/text" ] || corpus_fail "no $corpus/$speaker/text: the synthetic voices have nothing to say"
  number=0
  while read -r stem text; do
    say_by_variants "$language" "$n" "$number" "$stem" "$text"
    if [ "$language" = en-us ]; then
      case $((number % 3)) in
        0) say flite_kal "$stem" "$text" flite -voice kal16 -t "$text" -o {} ;;
        1) say festival_ked "$stem" "$text" text2wave -o {} -eval '(voice_ked_diphone)' ;;
      esac
      [ $((number % 3)) = 2 ] || say flite_rms "$stem" "$text" flite -voice rms -t "$text" -o {}
    fi
    number=$((number + 1))
  done < <(awk 'NR == FNR { trained[$1]; next } $1 in trained' "$out/splits/$speaker.train" "$corpus/$speaker/text")
done
echo "synthetic voices: $(find "$out/wav" -name '*.wav' | wc -l) sentences by $(find "$spoken" -mindepth 1 -type d | wc -l)"
