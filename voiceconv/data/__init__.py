"""From recordings to what training reads: Kaldi data directories, feature archives, datasets."""
