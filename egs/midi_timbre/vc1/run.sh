#!/usr/bin/env bash
# A violin into a flute and back, both played by a SoundFont from MIDI files; the same notes by both are in val and test alone.
exec "$(dirname "${BASH_SOURCE[0]}")/../../../recipes/vc.sh" "${BASH_SOURCE[0]}" --experiment instruments \
  --baselines "copy statistics" --music true --listen "mushra" "$@"
