"""The Hydra tree: YAML states choices, code passes dependencies."""
