#!/usr/bin/env bash
# A recogniser of fifty commands that heard each once, by one voice, and is asked by another: what converted copies are worth.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/augment.sh" "${BASH_SOURCE[0]}" --voice nathalie --unseen flemishguy "$@"
