#!/usr/bin/env bash
# The sources that the teacher converts for its student: the voices of egs/rhasspy/any1, of whose synthetic sentences every
# third is enough, and a copy of each of the four voices' train recordings at another speed, which is another throat.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
recipes=$(cd "$here/../../../../recipes" && pwd)

corpus=""
domains="flemishguy kathleen kerstin nathalie"
help_message="usage: local/data.sh --corpus DIR [--domains \"A B\"] OUT
  --corpus DIR      has SPEAKER/UTTERANCE.flac and SPEAKER/text, as egs/rhasspy/voc1 says
  --domains \"A B\"   targets ($domains)
Needs sox, flite, espeak-ng and festival with festvox-kdlpc16k (Debian's packages of these names)."
# shellcheck source=recipes/parse_options.sh
. "$recipes/parse_options.sh"
# shellcheck source=recipes/corpus.sh
. "$recipes/corpus.sh"
[ $# -eq 1 ] || parse_options_fail "give one folder to write to"
out=$1
command -v sox > /dev/null || corpus_fail "no sox: install it"

"$here/../../any1/local/data.sh" --corpus "$corpus" --domains "$domains" "$out"
for list in "$out"/splits/{espeak,flite,festival}_*.train; do
  awk 'NR % 3 == 1' "$list" > "$list.part"
  mv "$list.part" "$list"
done

speeds=(0.84 1.1 0.91 1.2)
for speaker in $domains; do
  number=0
  while read -r stem; do
    speed=${speeds[number++ % ${#speeds[@]}]}
    file=$out/other_speeds/$speaker/$speed/$stem.wav # kept between calls
    if [ ! -s "$file" ]; then
      mkdir -p "${file%/*}"
      sox "$corpus/$speaker/$stem.flac" "${file%.wav}.part.wav" speed "$speed"
      mv "${file%.wav}.part.wav" "$file"
    fi
    add_utterance "$out" "${speaker}_at_$speed" train "$stem" "$file"
    touch "$out/splits/${speaker}_at_$speed".{val,test}
  done < "$out/splits/$speaker.train"
done
echo "at other speeds: $(find "$out/other_speeds" -name '*.wav' | wc -l) recordings"
