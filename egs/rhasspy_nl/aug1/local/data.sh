#!/usr/bin/env bash
# The two Dutch voices of egs/rhasspy_nl/vc1 with its splits. The recipe uses `paired`: a hundred sentences by both voices,
# on which neither of the bundled models was trained.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/../../vc1/local/data.sh" "$@"
