#!/usr/bin/env bash
# The bundled CycleGAN-VC2, nathalie-flemishguy: two Dutch voices, two CPU cores.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/vc.sh" "${BASH_SOURCE[0]}" --experiment rhasspy_nl "$@"
