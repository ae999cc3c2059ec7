"""What a converter's and a vocoder's training share: set-up, Hydra's door, validation."""
