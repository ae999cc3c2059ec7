#!/usr/bin/env bash
# What to do with a GPU that is lent for half an hour. docs/training.md says how, under "A GPU for half an hour".
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
help_message="usage: benchmarks/gpu.sh [--cpu] [PART [OPTION...]]

  pack --dump DUMP   before, where there is a network: PACK gets DUMP/train in float16 and the packages that a machine with
                     torch alone lacks; says how large it is. [--targets A B] [--mib N]
  environment        the machine, and whether its matrix products are right
  steps              steps a second of every experiment of a paper's size, by switch, and of --peers DIR (clones of original
                     repositories); ends after --minutes 8.5. Called again, it measures what is missing
  train SECONDS      so many seconds of the flagship's training (540 by default); called again, it goes on. [--steps 60000]

Without a part: environment, steps and train. --cpu: on the CPU; steps and train at toy length. Options of all parts:
  --out DIR    results (exp/gpu, and in \$OUT, if that is set)
  --pack DIR   what pack wrote (exp/gpu/pack)
  --work DIR   checkpoints and dump of train (exp/gpu/work)
Exit code: 0 done, 2 wrong usage."

fail() {
  printf 'gpu.sh: error: %s\n' "$1" >&2
  exit 2
}

# add_packages PACK: what the machine's own python lacks; pyworld, which has no wheels, is compiled there.
add_packages() {
  local site=${TMPDIR:-/tmp}/voiceconv-site
  if [ -d "$1/packages" ] && ! python3 -c 'import hydra, pyworld' 2> /dev/null; then
    export PYTHONPATH=$site:$PYTHONPATH
    if [ ! -d "$site" ]; then
      python3 -m pip install -q --no-index --no-deps --no-compile --target "$site.part" "$1"/packages/*.whl
      PYTHONPATH=$site.part python3 -m pip install -q --no-index --no-deps --no-compile --no-build-isolation \
        --target "$site.part" "$1"/packages/*.tar.gz
      mv "$site.part" "$site"
    fi
  fi
}

# gather_packages PACK: for Python 3.12 on x86-64 that has torch, numpy, scipy, scikit-learn, numba, onnxruntime, tensorboard,
# rich, cython and a compiler.
gather_packages() {
  local platforms=() one packages=$1/packages
  for one in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do platforms+=(--platform "${one}_x86_64"); done
  mkdir -p "$packages"
  for one in hydra-core omegaconf librosa soundfile cffi pycparser soxr setuptools decorator audioread pooch platformdirs \
    lazy-loader; do
    python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp "${platforms[@]}" \
      -d "$packages" "$(locked "$one")" || fail "no wheel of $one"
  done
  python3 -m pip wheel -q --no-deps -w "$packages" "$(locked antlr4-python3-runtime)" # plain Python, without a wheel
  python3 -m pip download -q --no-deps --no-binary=:all: --no-build-isolation -d "$packages" "$(locked pyworld)"
}

# locked NAME: with the version of requirements.lock
locked() {
  grep -oE "^$1==[0-9.]+" "$here/../requirements.lock" || fail "requirements.lock has no $1"
}

toy=()
if [ "${1:-}" = --cpu ]; then
  toy=(--device cpu --toy)
  shift
fi
case ${1:-} in
  -h | --help) printf '%s\n' "$help_message"; exit 0 ;;
  pack | environment | steps | train) parts=("$1"); shift ;;
  "" | --*) parts=(environment steps train) ;;
  *) fail "no part '$1'; benchmarks/gpu.sh --help names them" ;;
esac
seconds=540
if [ "${parts[0]}" = train ] && [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
[ -z "${toy[*]-}" ] || [ "$seconds" != 540 ] || seconds=20

out=exp/gpu
pack=exp/gpu/pack
arguments=("$@")
for ((n = 0; n < ${#arguments[@]}; n++)); do
  case ${arguments[n]} in
    --out) out=${arguments[n + 1]:?} ;;
    --pack) pack=${arguments[n + 1]:?} ;;
  esac
done

export PYTHONPATH=$here/..:$here${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
add_packages "$pack"
for part in "${parts[@]}"; do
  printf '\n## %s\n' "$part"
  case $part in
    train)
      if [ ! -f "$pack/frames.npz" ]; then
        [ -n "${toy[*]-}" ] || fail "no $pack: make it by benchmarks/gpu.sh pack --dump DUMP"
        dump=$(find "$out/noise" -path '*world*' -name dump -o -path '*24000*' -name dump | head -n 1)
        python3 "$here/gpu.py" pack --dump "${dump:?no noise: call benchmarks/gpu.sh --cpu steps first}" --pack "$pack"
      fi
      python3 "$here/gpu.py" train --seconds "$seconds" ${toy[@]+"${toy[@]}"} "$@"
      ;;
    steps) python3 "$here/gpu.py" steps ${toy[@]+"${toy[@]}" --seconds 1} "$@" ;;
    pack)
      python3 "$here/gpu.py" pack "$@"
      gather_packages "$pack"
      size=$(du -sk "$pack" | cut -f 1)
      code=$(cd "$here/.." && git ls-files -z | du -ck --files0-from=- | tail -n 1 | cut -f 1)
      printf '%s KiB in %s and %s KiB of the repository: %s MiB travel\n' "$size" "$pack" "$code" $(((size + code) / 1024))
      [ $((size + code)) -lt $((60 * 1024)) ] || fail "more than 60 MiB: give a smaller --mib"
      ;;
    *) python3 "$here/gpu.py" "$part" ${toy[@]+"${toy[@]}"} "$@" ;;
  esac
done
if [ -n "${OUT:-}" ]; then
  for result in environment.json steps.json steps.md flagship; do
    [ ! -e "$out/$result" ] || cp -r "$out/$result" "$OUT"
  done
fi
