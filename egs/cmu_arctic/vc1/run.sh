#!/usr/bin/env bash
# CycleGAN-VC2 made small enough for two CPU cores.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/vc.sh" "${BASH_SOURCE[0]}" --experiment cmu_arctic "$@"
