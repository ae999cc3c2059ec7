#!/usr/bin/env bash
# The voice conversion recipe for every corpus. egs/<corpus>/<exp>/run.sh calls it with its own path, then its options.
set -euo pipefail

program=${1:?"this is called by egs/<corpus>/<exp>/run.sh"}
shift
recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command_line="$program $*"

stage=1
stop_stage=7
jobs=$(env -u OMP_NUM_THREADS nproc 2>/dev/null || echo 1)
corpus=""
domains=""
targets=""
only_directions=""
experiment=cyclegan_vc2_small
features=""
data=""
dump=""
exp=""
train_options=""
baselines="copy statistics f0shift gmm knn"
transcripts=false
recogniser=pocketsphinx
stranger=""
metrics=""
music=false
listen="mos"
help_message="usage: run.sh [options]

Trains a voice converter and scores it. All outputs are beside run.sh, unless an option names another place. Stages:
  1 data      local/data.sh gathers the corpus; voiceconv prepare writes DATA/{train,val,test}
  2 extract   voiceconv extract writes the features to DUMP
  3 stats     voiceconv stats writes DUMP/train/stats.safetensors
  4 train     voiceconv train writes EXP/checkpoints and EXP/model; an interrupted run continues where it stopped; of three
              domains or more, voiceconv calibrate lets the model say which inputs are unlike its speech
  5 convert   voiceconv convert converts DATA/test in every direction: with the network to EXP/converted/SOURCE-TARGET, with
              each baseline to EXP/baselines/NAME/SOURCE-TARGET
  6 evaluate  voiceconv evaluate writes EXP/scores/SOURCE-TARGET.json for the network and SOURCE-TARGET.NAME.json for each
              baseline, the unconverted source and the target's own recordings; EXP/RESULTS.md has the tables;
              EXP/report.html shows the run, if the extra voiceconv[report] is installed
  7 listen    voiceconv listen build writes EXP/listen/METHOD, a listening test of the network, its baselines and the targets'
              own recordings; voiceconv listen serve runs it; an existing test is not changed

  --stage N              first stage to run ($stage)
  --stop-stage N         last stage to run ($stop_stage)
  --jobs N               parallel processes of stages 2 and 6 (one per core: $jobs)
  --nj N                 the same, Kaldi's name
  --cmd STR              command that runs stages 2 to 6, such as \"srun -c 8 --gres gpu:1\"; one that
                         ends in .pl is Kaldi's and gets a log file: \"slurm.pl --mem 4G\" (none)
  --executor NAME        dask, slurm or sge: where stages 2, 5 and 6 run, by docs/clusters.md (local)
  --scheduler ADDRESS    scheduler for --executor dask, such as tcp://node1:8786
  --corpus DIR           folder of the corpus, if you have it; without it local/data.sh downloads the corpus
  --domains \"A B\"        speakers to convert between (default: those of local/data.sh)
  --targets \"A B\"        domains that the model converts into; the others only teach it (default: those of
                         DATA/local/targets, where local/data.sh writes it, or all)
  --only-directions STR  directions to convert and score, such as \"A-B C-D\" (default: all, N x (N - 1) for N domains)
  --experiment NAME      experiment in voiceconv/conf/experiment or in conf/experiment here ($experiment)
  --features NAME        features (default: those of the experiment)
  --data DIR             prepared data (data)
  --dump DIR             features (dump)
  --exp DIR              run directory: checkpoints, model, results, logs (exp/EXPERIMENT)
  --train-options STR    overrides for voiceconv train, such as \"trainer.n_steps=50000 seed=1\"
  --baselines STR        baselines to convert and score beside the network ($baselines); gmm
                         learns from parallel sentences in DUMP/paired, or else in DUMP/train and val, and is left out
                         where there are none; f0shift, gmm and knn need WORLD features; bundled is voiceconv's bundled
                         CycleGAN-VC2, for its own speakers; half is the network at --strength 0.5
  --transcripts BOOL     score intelligibility; DATA/test needs transcripts in the recogniser's language ($transcripts)
  --recogniser STR       speech recogniser: pocketsphinx (English), or a command that prints a transcript of the file {}
                         ($recogniser)
  --stranger DIR         prepared data, with transcripts, of an unseen speaker: DIR/test is also converted to every domain
                         (not by gmm, which needs to know the source), and its intelligibility is scored
  --metrics STR          further options for voiceconv evaluate, such as \"--metric mel_cepstral_distortion\"
  --music BOOL           score melody, rhythm and instrument in place of voice and words: chroma and onsets against the
                         source, distance to DATA/test's recording of the same notes by the target ($music)
  --listen STR           methods of stage 7: mos, similarity, ab, abx, mushra, or \"\" for none ($listen)
  --help                 this text

Log files: EXP/log. Exit code: 0 done, 1 a stage failed, 2 wrong usage."
paths="corpus data dump exp stranger"
# shellcheck source=recipes/stages.sh
. "$recipes/stages.sh"

# list_directions: sets the array directions to "SOURCE TARGET DIR" for every ordered pair of the prepared domains and from
# the stranger to each; DIR has the source's splits.
list_directions() {
  local source target name
  directions=()
  for source in ${targets:-$(domains_of "$data/train")}; do
    for target in ${targets:-$(domains_of "$data/train")}; do
      if [ "$source" != "$target" ] && is_among_those "$source-$target"; then directions+=("$source $target $data"); fi
    done
  done
  if [ -n "$stranger" ]; then
    source=$(domains_of "$stranger/test")
    for target in ${targets:-$(domains_of "$data/train")}; do
      if is_among_those "$source-$target"; then directions+=("$source $target $stranger"); fi
    done
  fi
  for name in $only_directions; do
    printf '%s\n' "${directions[@]}" | cut -d' ' -f1,2 --output-delimiter=- | grep -qxF -- "$name" ||
      fail "--only-directions: no direction $name; the domains are $(domains_of "$data/train" | tr '\n' ' ')"
  done
}

# is_among_those SOURCE-TARGET: whether --only-directions names it; without the option, every direction is.
is_among_those() {
  case " ${only_directions:-$1} " in *" $1 "*) ;; *) return 1 ;; esac
}

# sentences_of DOMAIN: its sentences that gmm may learn from, as SPLIT/NAME, sorted.
sentences_of() {
  local split
  for split in paired train val; do
    [ ! -f "$dump/$split/utt2spk" ] || awk -v domain="$1" -v part="$split" '$2 == domain { print part "/" substr($1, length(domain) + 2) }' "$dump/$split/utt2spk"
    [ $split != paired ] || [ ! -d "$dump/paired" ] || break
  done | LC_ALL=C sort -u
}

# list_systems DIR [SOURCE TARGET]: sets the array systems to the systems that can convert the recordings of DIR: the network,
# then the baselines.
list_systems() {
  local system
  systems=(model)
  for system in $baselines; do
    case $system in
      f0shift | gmm | knn) [ -e "$dump/train/f0.scp" ] || continue ;; # they take WORLD's features
    esac
    if [ "$system" = gmm ]; then
      [ "$1" = "$data" ] || continue
      [ $# = 1 ] || [ -n "$(LC_ALL=C comm -12 <(sentences_of "$2") <(sentences_of "$3"))" ] || continue
    fi
    if [ "$system" = bundled ] && [ $# = 3 ]; then # between its own two voices, or from a stranger into one
      [[ $2-$3 =~ ^(nathalie-flemishguy|flemishguy-nathalie)$ || ($1 != "$data" && $3 =~ ^(nathalie|flemishguy)$) ]] || continue
    fi
    systems+=("$system")
  done
}

# root_of SYSTEM: the folder of its conversions; it has a folder per direction.
root_of() {
  if [ "$1" = model ]; then echo "$exp/converted"; else echo "$exp/baselines/$1"; fi
}

# folder_of SYSTEM DIRECTION
folder_of() {
  echo "$(root_of "$1")/$2"
}

# link_unconverted: EXP/unconverted/DOMAIN has the test recordings under their utterances' names, for voiceconv report.
link_unconverted() {
  local utterance path domain
  [ ! -e "$data/test/segments" ] || return 0 # utterances are parts of files
  declare -A domain_of=()
  while read -r utterance domain; do domain_of[$utterance]=$domain; done < "$data/test/utt2spk"
  while read -r utterance path; do
    mkdir -p "$exp/unconverted/${domain_of[$utterance]}"
    ln -sfn "$path" "$exp/unconverted/${domain_of[$utterance]}/$utterance.${path##*.}"
  done < "$data/test/wav.scp"
}

# list_against SOURCE TARGET DIR: sets the array against to the options that every evaluation of a direction shares.
list_against() {
  read -r -a against <<< "$metrics"
  against+=(--source "$1" --target "$2" --target-train "$data/train" --voices "$exp/scores/voices")
  [ ! -d "$3/train" ] || against+=(--source-train "$3/train")
  if [ "$3" = "$data" ]; then against+=(--reference "$data/test"); fi
  if [ "$music" = true ]; then
    against+=(--copy-of "$3/test")
    for measure in chroma_similarity onset_f mel_distance instrument; do against+=(--metric "$measure"); done
  fi
  if [ "$3" != "$data" ] || [ "$transcripts" = true ]; then against+=(--text "$3/test" --recogniser "$recogniser"); fi
}

# score NAME CONVERTED [OPTION...]: EXP/scores/NAME.json
score() {
  spread "evaluate.$1" voiceconv evaluate "$2" ${local_jobs[@]+"${local_jobs[@]}"} "${against[@]}" "${@:3}" -o "$exp/scores/$1.json"
}

check_overrides 4 "$train_options"

if wanted 1 "data"; then
  prepare_data
fi

named=--targets
if [ -z "$targets" ] && [ -f "$data/local/targets" ]; then
  named=$data/local/targets
  targets=$(< "$named")
fi
for name in $targets; do # known now, not after hours
  [ ! -f "$data/train/utt2spk" ] || domains_of "$data/train" | grep -qxF -- "$name" ||
    fail "$named: $data/train has no domain $name; its domains are $(domains_of "$data/train" | tr '\n' ' ')"
done

if wanted 2 "extract"; then
  spread extract voiceconv extract "$data" "$dump" --features "${features:-experiment=$experiment}" ${local_jobs[@]+"${local_jobs[@]}"} \
    ${search[@]+"${search[@]}"}
fi

if wanted 3 "stats"; then
  send stats voiceconv stats "$dump/train"
fi

if wanted 4 "train"; then
  read -r -a overrides <<< "$train_options"
  if [ -n "$targets" ]; then
    read -r -a names <<< "$targets"
    quoted=$(printf ",'%s'" "${names[@]//\'/\\\'}")
    overrides+=("data.targets=[${quoted#,}]")
  fi
  send train voiceconv train ${search[@]+"${search[@]}"} "experiment=$experiment" "data.dump=$dump" "data.waves=$data" "run_dir=$exp" \
    ${overrides[@]+"${overrides[@]}"}
  if [ "$music" = false ] && [ "$(domains_of "$data/train" | wc -l)" -ge 3 ]; then # two do not tell what a third is like
    (send calibrate voiceconv calibrate "$data" --model "$exp") ||
      echo "the model will not say which inputs are unlike its speech"
  fi
fi

if wanted 5 "convert"; then
  list_directions
  for direction in "${directions[@]}"; do
    read -r source target place <<< "$direction"
    list_systems "$place" "$source" "$target"
    for system in "${systems[@]}"; do
      options=(--model "baseline:$system" --dump "$dump")
      [ "$system" != model ] || options=(--model "$exp")
      [ "$system" != bundled ] || options=(--model nathalie-flemishguy)
      [ "$system" != half ] || options=(--model "$exp" --strength 0.5)
      [ "$place" != "$data" ] || options+=(--source "$source")
      spread "convert.$source-$target.$system" voiceconv convert "$place/test" --target "$target" "${options[@]}" \
        -o "$(folder_of "$system" "$source-$target")"
    done
  done
fi

if wanted 6 "evaluate"; then
  list_directions
  link_unconverted
  mkdir -p "$exp/scores"
  for direction in "${directions[@]}"; do
    read -r source target place <<< "$direction"
    list_systems "$place" "$source" "$target"
    list_against "$source" "$target" "$place"
    rm -f "$exp/scores/$source-$target".json "$exp/scores/$source-$target".*.json # of another ladder, or another model
    score "$source-$target.unconverted" "$place/test"
    [ "$place" != "$data" ] || score "$source-$target.target" "$place/test" --domain "$target"
    for system in "${systems[@]}"; do
      options=()
      name=$source-$target.$system
      [ "$system" != copy ] || options=(--copy-of "$place/test")
      [ "$system" != model ] || name=$source-$target
      score "$name" "$(folder_of "$system" "$source-$target")" ${options[@]+"${options[@]}"}
    done
  done
  mapfile -t names < <(printf '%s\n' "${directions[@]}" | cut -d' ' -f1,2 --output-delimiter=-)
  run results "$python" "$recipes/write_results.py" conversion "$exp" "$commit" "$command_line" "${names[@]}"
  echo "results: $exp/RESULTS.md"
  if "$python" -c 'import jinja2, matplotlib' 2> /dev/null; then
    run report voiceconv report "$exp"
  else
    echo "no report.html: pip install 'voiceconv[report]'"
  fi
fi

if wanted 7 "listen"; then
  list_directions
  list_systems "$data"
  everywhere=() # a listening test has what all directions have
  for system in "${systems[@]}"; do
    for direction in "${directions[@]}"; do
      read -r source target place <<< "$direction"
      if [ "$place" = "$data" ] && [ ! -d "$(folder_of "$system" "$source-$target")" ]; then
        echo "listen: without $system, which does not convert $source to $target"
        continue 2
      fi
    done
    everywhere+=("$system")
  done
  for method in $listen; do
    test=$exp/listen/$method
    if [ -e "$test/manifest.json" ]; then # the key to answers, wherever these are by now
      echo "$test stays as it is; remove it to have a new one"
      continue
    fi
    options=(--test "$method")
    [ "$music" = false ] || options+=(--music)
    for system in ${everywhere[@]+"${everywhere[@]}"}; do options+=(--system "$system=$(root_of "$system")"); done
    if [ "$method" = similarity ]; then
      options+=(--target-reference "$data/test")
    elif [ "$method" != ab ] && [ "$method" != abx ]; then
      options+=(--reference "$data/test")
    fi
    run "listen.$method" voiceconv listen build "${options[@]}" -o "$test"
  done
fi
