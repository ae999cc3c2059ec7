#!/usr/bin/env bash
# Synthetic speakers and a tiny network: every stage in about a minute.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/vc.sh" "${BASH_SOURCE[0]}" --experiment toy "$@"
