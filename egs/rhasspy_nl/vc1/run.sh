#!/usr/bin/env bash
# The bundled model: two Dutch voices, two CPU cores.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/vc.sh" "${BASH_SOURCE[0]}" --experiment rhasspy_nl "$@"
