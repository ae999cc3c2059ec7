#!/usr/bin/env bash
# Two synthetic speakers, low and high: see synthesise.py here.
set -euo pipefail
"$(dirname "$(command -v voiceconv)")/python" "$(dirname "${BASH_SOURCE[0]}")/synthesise.py" "$@"
