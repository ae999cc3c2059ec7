#!/usr/bin/env bash
# VCTK 0.92 (CC BY 4.0; Yamagishi et al. 2019, DataShare handle 10283/3443): English, 48 kHz, 110 speakers. Sentences 001
# to 024 are read by every speaker: they are the parallel val and test; the rest, each speaker's own, is for training.
set -euo pipefail

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../../recipes" && pwd)

corpus=""
domains="p225 p226"
help_message="usage: local/data.sh [--corpus DIR] [--domains \"A B\"] OUT
  --corpus DIR      the unpacked archive: wav48_silence_trimmed/p225/p225_001_mic1.flac; without it VCTK-Corpus-0.92.zip
                    (11 GB) is downloaded into downloads/ and the speakers' files are unpacked
  --domains \"A B\"   speakers ($domains)"
# shellcheck source=recipes/parse_options.sh
. "$recipes/parse_options.sh"
# shellcheck source=recipes/corpus.sh
. "$recipes/corpus.sh"
[ $# -eq 1 ] || parse_options_fail "give one folder to write to"
out=$1
read -r -a speakers <<< "$domains"

if [ -z "$corpus" ]; then
  corpus=downloads
  archive=VCTK-Corpus-0.92.zip
  fetch "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/$archive" "$corpus" \
    "https://datashare.ed.ac.uk/handle/10283/3443"
  for speaker in "${speakers[@]}"; do
    [ -d "$corpus/wav48_silence_trimmed/$speaker" ] \
      || unpack "$corpus/$archive" "$corpus" "wav48_silence_trimmed/$speaker/*_mic1.flac"
  done
fi

start_corpus "$out"
for speaker in "${speakers[@]}"; do
  for file in "$corpus/wav48_silence_trimmed/$speaker/${speaker}"_[0-9][0-9][0-9]_mic1.flac; do
    [ -f "$file" ] || continue
    stem=$(basename "$file" _mic1.flac)
    stem=${stem#"${speaker}_"}
    number=$((10#$stem))
    if [ "$number" -le 4 ]; then split="val"; elif [ "$number" -le 24 ]; then split="test"; else split="train"; fi
    add_utterance "$out" "$speaker" "$split" "$stem" "$file"
  done
done
check_corpus "$out" "${speakers[@]}"
