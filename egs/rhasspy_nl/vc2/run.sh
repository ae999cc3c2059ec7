#!/usr/bin/env bash
# The same voices by MaskCycleGAN-VC on mel spectrograms and the bundled neural vocoder.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/vc.sh" "${BASH_SOURCE[0]}" --experiment rhasspy_nl_mel --baselines "copy statistics bundled" "$@"
