"""Pure functions from tensors to one scalar.

Objectives give names to losses, the configuration gives weights.
"""
