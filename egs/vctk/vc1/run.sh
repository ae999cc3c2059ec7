#!/usr/bin/env bash
# CycleGAN-VC2 at the paper's size; needs a GPU (cyclegan_vc2_small does not).
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/vc.sh" "${BASH_SOURCE[0]}" --experiment vctk "$@"
