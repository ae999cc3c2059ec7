"""The common part of both trainings: set-up, Hydra's entry point, validation."""
