#!/usr/bin/env bash
# Pop and folk: 909 pop songs of POP909 (MIT licence; a folder for each song, or all files in one) and the tunes of the
# Nottingham collection (GPL 3), or a part of each. Any two folders of MIDI files will do, with --domains.
set -euo pipefail

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../../recipes" && pwd)

corpus=""
domains="pop folk"
help_message="usage: local/data.sh --corpus DIR [--domains \"A B\"] OUT
  --corpus DIR      has a folder of MIDI files for each genre: DIR/pop, DIR/folk
  --domains \"A B\"   the genres ($domains)"
# shellcheck source=recipes/parse_options.sh
. "$recipes/parse_options.sh"
# shellcheck source=recipes/corpus.sh
. "$recipes/corpus.sh"
[ $# -eq 1 ] || parse_options_fail "give one folder to write to"
out=$1
read -r -a genres <<< "$domains"

start_corpus "$out"
for genre in "${genres[@]}"; do
  [ -d "$corpus/$genre" ] || corpus_fail "there is no ${corpus:-corpus}/$genre: get pop songs from \
https://github.com/music-x-lab/POP909-Dataset and folk tunes from https://github.com/jukedeck/nottingham-dataset, and give \
the folder of both with --corpus"
  ln -s "$(cd "$corpus/$genre" && pwd)" "$out/wav/$genre"
done
