#!/usr/bin/env bash
# Two Dutch voices of the Rhasspy project, nathalie (F) and flemishguy (M), CC0. They read the same prompts, so that
# val and test are parallel; the train lists, in local/splits here, share no sentence. `paired` is what methods that need
# pairs learn from, the ladder's gmm among them; it shares no sentence with the others.
set -euo pipefail

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../../recipes" && pwd)
lists=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/splits

corpus=""
domains="nathalie flemishguy"
help_message="usage: local/data.sh [--corpus DIR] [--domains \"A B\"] OUT
  --corpus DIR      has SPEAKER/UTTERANCE.flac (nathalie/nl_0001.flac), or the two repositories as they are:
                    dataset-voice-nathalie/verified/nl_rhasspy_1.flac, dataset-voice-flemishguy/nl_rhasspy_1_TIME.wav;
                    without it they are cloned into downloads/
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
  for speaker in "${speakers[@]}"; do
    repository=$corpus/dataset-voice-$speaker
    [ -d "$repository/.git" ] || git clone --depth 1 "https://github.com/rhasspy/dataset-voice-$speaker" "$repository" \
      || corpus_fail "could not clone the data set of $speaker"
  done
fi

# recordings SPEAKER: "nl_NNNN file" a line. Prompt 5 is nl_0005; of a prompt read twice the later take comes last.
recordings() {
  local file prompt folder
  if [ -d "$corpus/$1" ]; then
    for file in "$corpus/$1"/nl_*.*; do
      prompt=${file##*/}
      echo "${prompt%.*} $file"
    done
    return
  fi
  folder=$corpus/dataset-voice-$1
  [ ! -d "$folder/verified" ] || folder=$folder/verified # nathalie: audio/ beside it is the untrimmed webm
  for file in "$folder"/nl_rhasspy_*.*; do
    prompt=${file##*/nl_rhasspy_}
    prompt=${prompt%%[_.]*}
    printf 'nl_%04d %s\n' "$prompt" "$file"
  done
}

# transcripts SPEAKER: "nl_NNNN words" a line, where the corpus has them.
transcripts() {
  local folder=$corpus/dataset-voice-$1
  if [ -f "$corpus/$1/text" ]; then
    cat "$corpus/$1/text"
  elif [ -f "$folder/metadata.csv" ]; then # "nl_rhasspy_5_1602428193|words"; nathalie's has no time
    awk -F '|' '{ split($1, id, "_"); if (!seen[id[3]]++) printf "nl_%04d %s\n", id[3], $2 }' "$folder/metadata.csv"
  fi
}

start_corpus "$out"
for speaker in "${speakers[@]}"; do
  [ -f "$lists/$speaker.train" ] || parse_options_fail "no speaker '$speaker' here: choose from nathalie and flemishguy"
  [ -d "$corpus/$speaker" ] || [ -d "$corpus/dataset-voice-$speaker" ] \
    || corpus_fail "neither $corpus/$speaker nor $corpus/dataset-voice-$speaker is there"
  declare -A file_of=()
  while read -r stem file; do
    file_of[$stem]=$file
  done < <(recordings "$speaker")
  for split in train val test paired; do
    while read -r stem; do
      [ -n "${file_of[$stem]:-}" ] || corpus_fail "no recording of $stem by $speaker in $corpus"
      add_utterance "$out" "$speaker" "$split" "$stem" "${file_of[$stem]}"
    done < "$lists/$speaker.$split"
  done
  transcripts "$speaker" > "$out/wav/$speaker/text"
done
check_corpus "$out" "${speakers[@]}"
