#!/usr/bin/env bash
# CMU ARCTIC 0.95 (free; Kominek and Black 2004): English, 16 kHz, seven speakers who read the same 1132 sentences.
# arctic_b0500 to b0539 are the parallel test, b0480 to b0499 val; of the rest each speaker gets every second sentence
# (every Nth of N speakers), so that no sentence is trained on in two voices.
set -euo pipefail

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../../recipes" && pwd)

corpus=""
domains="bdl slt"
help_message="usage: local/data.sh [--corpus DIR] [--domains \"A B\"] OUT
  --corpus DIR      the unpacked archives: cmu_us_bdl_arctic/wav/arctic_a0001.wav; without it
                    cmu_us_SPEAKER_arctic-0.95-release.tar.bz2 is downloaded into downloads/ for each speaker
  --domains \"A B\"   of awb bdl clb jmk ksp rms slt ($domains)"
# shellcheck source=recipes/parse_options.sh
. "$recipes/parse_options.sh"
# shellcheck source=recipes/corpus.sh
. "$recipes/corpus.sh"
[ $# -eq 1 ] || parse_options_fail "give one folder to write to"
out=$1
read -r -a speakers <<< "$domains"

if [ -z "$corpus" ]; then
  corpus=downloads
  for speaker in "${speakers[@]}"; do
    archive=cmu_us_${speaker}_arctic-0.95-release.tar.bz2
    fetch "http://festvox.org/cmu_arctic/cmu_arctic/packed/$archive" "$corpus" "http://festvox.org/cmu_arctic"
    [ -d "$corpus/cmu_us_${speaker}_arctic/wav" ] || unpack "$corpus/$archive" "$corpus"
  done
fi

start_corpus "$out"
for index in "${!speakers[@]}"; do
  speaker=${speakers[$index]}
  for file in "$corpus/cmu_us_${speaker}_arctic/wav"/arctic_[ab][0-9][0-9][0-9][0-9].wav; do
    [ -f "$file" ] || continue
    stem=$(basename "$file" .wav)
    number=$((10#${stem: -4}))
    case $stem in
      arctic_b0[5-9]??) split="test" ;;
      arctic_b04[89]?) split="val" ;;
      *)
        [ $((number % ${#speakers[@]})) -eq "$index" ] || continue
        split="train" ;;
    esac
    add_utterance "$out" "$speaker" "$split" "$stem" "$file"
  done
done
check_corpus "$out" "${speakers[@]}"
