#!/usr/bin/env bash
# Synthetic speakers and a tiny vocoder: every stage in about a minute.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/vocoder.sh" "${BASH_SOURCE[0]}" --experiment toy "$@"
