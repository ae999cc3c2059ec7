#!/usr/bin/env bash
# Four voices of the Rhasspy project, CC0: nathalie (F) and flemishguy (M), Dutch; kathleen (F), English; kerstin (F), German.
# The lists of the Dutch ones are those of egs/rhasspy_nl/vc1: what a converter is tested on, no vocoder has heard.
# Any other folder of recordings, such as of music, can be heard, too: each tenth is of test, and the next of val; give each
# song once.
set -euo pipefail

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../../recipes" && pwd)
lists=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/splits
dutch=$recipes/../egs/rhasspy_nl/vc1/local/splits

corpus=""
domains="nathalie flemishguy kathleen kerstin"
help_message="usage: local/data.sh --corpus DIR [--domains \"A B\"] OUT
  --corpus DIR      has SPEAKER/UTTERANCE.flac: nathalie/nl_0005.flac, kathleen/arctic_a0004.flac, kerstin/de_0007.flac
  --domains \"A B\"   speakers, and other folders of CORPUS ($domains)"
# shellcheck source=recipes/parse_options.sh
. "$recipes/parse_options.sh"
# shellcheck source=recipes/corpus.sh
. "$recipes/corpus.sh"
[ $# -eq 1 ] || parse_options_fail "give one folder to write to"
out=$1
read -r -a speakers <<< "$domains"

start_corpus "$out"
for speaker in "${speakers[@]}"; do
  lists_of=$lists
  [ -f "$lists/$speaker.train" ] || lists_of=$dutch
  if [ ! -f "$lists_of/$speaker.train" ]; then
    [ -n "$corpus" ] && [ -d "$corpus/$speaker" ] || parse_options_fail "no speaker '$speaker' here: choose from nathalie, flemishguy, kathleen \
and kerstin, or a folder of ${corpus:-CORPUS}"
    number=0
    mapfile -t files < <(find -L "$corpus/$speaker" -name '*.wav' -o -name '*.flac' -o -name '*.mp3' | LC_ALL=C sort)
    for file in "${files[@]}"; do
      case $((number++ % 10)) in 0) split='test' ;; 1) split='val' ;; *) split='train' ;; esac
      name=${file##*/}
      add_utterance "$out" "$speaker" "$split" "${name%.*}" "$file"
    done
    continue
  fi
  [ -d "$corpus/$speaker" ] || corpus_fail "there is no ${corpus:-corpus}/$speaker: get the recordings from \
https://github.com/rhasspy/dataset-voice-$speaker, name them as $0 --help says, and give their folder with --corpus"
  for split in train val test; do
    while read -r stem; do
      [ -f "$corpus/$speaker/$stem.flac" ] || corpus_fail "no recording of $stem by $speaker in $corpus"
      add_utterance "$out" "$speaker" "$split" "$stem" "$corpus/$speaker/$stem.flac"
    done < "$lists_of/$speaker.$split"
  done
done
check_corpus "$out" "${speakers[@]}"
