#!/usr/bin/env bash
# The two synthetic speakers of the toy converter.
exec "$(dirname "${BASH_SOURCE[0]}")/../../vc1/local/data.sh" "$@"
