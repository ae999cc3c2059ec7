#!/usr/bin/env bash
# The bundled vocoder: four voices of three languages, two CPU cores.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/vocoder.sh" "${BASH_SOURCE[0]}" --experiment rhasspy "$@"
