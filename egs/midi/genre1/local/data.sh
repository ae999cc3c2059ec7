#!/usr/bin/env bash
# Pop and folk: the 909 songs of POP909 (MIT licence) and the tunes of the Nottingham collection (GPL 3), or a part of each.
# Any two folders of MIDI files will do, with --domains. A file for each song: other versions of one would be in the test, too.
set -euo pipefail

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../../recipes" && pwd)

corpus=""
domains="pop folk"
help_message="usage: local/data.sh --corpus DIR [--domains \"A B\"] OUT
  --corpus DIR      has for each genre a folder of MIDI files, DIR/pop/001.mid, or a folder for each song,
                    DIR/pop/001/001.mid; other files in it, such as its versions, are left out
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
  folder=$(cd "$corpus/$genre" && pwd)
  mkdir -p "$out/wav/$genre"
  for file in "$folder"/*.mid; do
    [ ! -f "$file" ] || ln -s "$file" "$out/wav/$genre/"
  done
  for song in "$folder"/*/; do
    file=$song$(basename "$song").mid
    [ ! -f "$file" ] || ln -s "$file" "$out/wav/$genre/"
  done
done
