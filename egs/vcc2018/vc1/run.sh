#!/usr/bin/env bash
# MaskCycleGAN-VC at the paper's size, on its corpus; needs a GPU (maskcyclegan_vc_small does not).
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/vc.sh" "${BASH_SOURCE[0]}" --experiment vcc2018 "$@"
