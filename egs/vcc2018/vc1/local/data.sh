#!/usr/bin/env bash
# The Voice Conversion Challenge 2018 corpus (Lorenzo-Trueba et al. 2018, DataShare handle 10283/3061): English,
# 22.05 kHz, 12 speakers of 81 training sentences. Sources SF3, SF4, SM3, SM4 (the "spoke" task) share no training
# sentence with the targets TF1, TF2, TM1, TM2; all read the same 35 evaluation sentences.
set -euo pipefail

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../../recipes" && pwd)

corpus=""
domains="VCC2SF3 VCC2TF1"
help_message="usage: local/data.sh [--corpus DIR] [--domains \"A B\"] OUT
  --corpus DIR      the three archives, unpacked: vcc2018_training/VCC2SF3/20001.wav, vcc2018_evaluation/VCC2SF3/30001.wav,
                    vcc2018_reference/VCC2TF1/30001.wav; without it they are downloaded into downloads/
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
  for part in training evaluation reference; do
    archive=vcc2018_database_$part.zip
    fetch "https://datashare.ed.ac.uk/bitstream/handle/10283/3061/$archive" "$corpus" \
      "https://datashare.ed.ac.uk/handle/10283/3061"
    [ -d "$corpus/vcc2018_$part" ] || unpack "$corpus/$archive" "$corpus"
  done
fi

# Sentences 30001-30035 are in evaluation for a source speaker and in reference for a target speaker. Of the training
# sentences, numbered from 10001 or 20001, those from 77 on are kept back to choose by.
start_corpus "$out"
for speaker in "${speakers[@]}"; do
  for folder in "$corpus"/vcc2018_{training,evaluation,reference}/"$speaker"; do
    [ -d "$folder" ] || continue
    for file in "$folder"/*.wav; do
      stem=$(basename "$file" .wav)
      case $folder in
        */vcc2018_training/*) if [ "${stem: -2}" -ge 77 ]; then split="val"; else split="train"; fi ;;
        *) split="test" ;;
      esac
      add_utterance "$out" "$speaker" "$split" "$stem" "$file"
    done
  done
done
check_corpus "$out" "${speakers[@]}"
