#!/usr/bin/env bash
# The bundled streaming model, four-voices-live: a student of four-voices, which converts real, synthetic and sped-up voices for it.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/live.sh" "${BASH_SOURCE[0]}" --experiment rhasspy_live "$@"
