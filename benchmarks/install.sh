#!/usr/bin/env bash
# What an installation weighs, and that it converts: seconds, megabytes, the largest packages.
#
#   benchmarks/install.sh full|light OUT [PIP-OPTION...]
#
# Builds the wheel into OUT/dist, unless it is there, makes OUT/full or OUT/light, a bare
# environment, installs the wheel into it, and converts the bundled sample outside the source tree.
# PIP-OPTIONs go to the installation of the requirements: with
# `--extra-index-url https://download.pytorch.org/whl/cpu` torch comes without CUDA.
set -euo pipefail

usage() { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
kind=$1 out=$2
shift 2
[ "$kind" = full ] || [ "$kind" = light ] || usage
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
mkdir -p "$out"
out=$(cd "$out" && pwd)

megabytes() { du -sm "$1" | cut -f1; }

if ! compgen -G "$out/dist/voiceconv-*.whl" > /dev/null; then
  "$python" -m build --outdir "$out/dist" "$root" > "$out/build.log"
fi
wheel=$(compgen -G "$out/dist/voiceconv-*.whl")
echo "wheel: $(du --apparent-size -m "$wheel" | cut -f1) MB, $(basename "$wheel")"

unset PYTHONPATH
environment=$out/$kind
rm -rf "$environment"
"$python" -m venv "$environment"
pip=("$environment/bin/pip" install --quiet --disable-pip-version-check)
before=$SECONDS
if [ "$kind" = full ]; then
  "${pip[@]}" "$@" "$wheel"
else
  "${pip[@]}" "$@" -r "$root/requirements-light.txt"
  "${pip[@]}" --no-deps "$wheel"
fi
packages=$(echo "$environment"/lib/python*/site-packages)
echo "$kind: installed in $((SECONDS - before)) s, $(megabytes "$packages") MB"
du -sm "$packages"/* | sort -rn | head -12 | sed "s|$packages/||"

cd "$environment"
before=$SECONDS
bin/voiceconv convert "$packages/voiceconv/pretrained/sample.wav" --target kathleen -o converted.wav
echo "$kind: the sample (7.5 s) converted in $((SECONDS - before)) s, start and first compilation included"
