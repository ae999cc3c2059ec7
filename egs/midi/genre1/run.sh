#!/usr/bin/env bash
# Two genres of MIDI files, into each other: Brunner et al. 2018, arXiv:1809.07575, small.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/genre.sh" "${BASH_SOURCE[0]}" --experiment brunner_small "$@"
