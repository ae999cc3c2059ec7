# shellcheck shell=bash
# Functions for the local/data.sh of a corpus. Each local/data.sh writes, into the folder OUT that recipes/vc.sh names:
#
#     OUT/wav/DOMAIN/STEM.EXT               links; utterances that say the same sentence have the same STEM
#     OUT/splits/DOMAIN.{train,val,test}    stems, one per line; optionally DOMAIN.paired, parallel sentences

corpus_fail() {
  echo "$(basename "$0"): error: $1" >&2
  exit 1
}

# fetch URL FOLDER PAGE: downloads into FOLDER once; continues an interrupted download. The error message names PAGE.
fetch() {
  local url=$1 file
  file=$2/$(basename "$url")
  [ ! -f "$file" ] || return 0
  mkdir -p "$2"
  echo "downloading $url"
  curl --fail --location --retry 5 --continue-at - --output "$file.part" "$url" \
    || corpus_fail "could not download $url; get it from $3 yourself and name its folder with --corpus"
  mv "$file.part" "$file"
}

# unpack ARCHIVE FOLDER MEMBER...: unpacks a zip or a bzipped tar, the named members only, if any are.
unpack() {
  local archive=$1 folder=$2
  shift 2
  mkdir -p "$folder"
  echo "unpacking $archive"
  case $archive in
    *.zip) unzip -q -n "$archive" "$@" -d "$folder" ;;
    *) tar -xjf "$archive" -C "$folder" "$@" ;;
  esac || corpus_fail "could not unpack $archive; if it is not complete, remove it and start again"
}

# start_corpus OUT: makes empty OUT/wav and OUT/splits, so nothing is left of an earlier choice of domains.
start_corpus() {
  rm -rf "${1:?}/wav" "$1/splits"
  mkdir -p "$1/wav" "$1/splits"
}

# add_utterance OUT DOMAIN SPLIT STEM FILE
add_utterance() {
  local file=$5
  [[ $file = /* ]] || file=$PWD/$file
  [ -d "$1/wav/$2" ] || mkdir "$1/wav/$2"
  ln -sfn "$file" "$1/wav/$2/$4.${file##*.}"
  echo "$4" >> "$1/splits/$2.$3"
}

# check_corpus OUT DOMAIN...: fails unless every domain has utterances in train, val and test.
check_corpus() {
  local out=$1 domain split
  shift
  for domain in "$@"; do
    for split in train val test; do
      [ -s "$out/splits/$domain.$split" ] \
        || corpus_fail "no $split utterances of $domain; is --corpus the folder that the head of $0 describes?"
    done
    echo "$domain: $(wc -l < "$out/splits/$domain.train") train, $(wc -l < "$out/splits/$domain.val") val," \
      "$(wc -l < "$out/splits/$domain.test") test utterances"
  done
}
