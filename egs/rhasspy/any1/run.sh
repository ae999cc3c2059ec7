#!/usr/bin/env bash
# The bundled default, four-voices, an any-to-many model: four CC0 voices as targets, free synthetic voices as further sources, two CPU cores.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/vc.sh" "${BASH_SOURCE[0]}" --experiment rhasspy_any "$@"
