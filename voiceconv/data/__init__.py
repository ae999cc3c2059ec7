"""From recordings to batches: Kaldi data directories, feature archives, datasets."""
