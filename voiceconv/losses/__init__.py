"""Pure functions from tensors to one scalar.

Objectives give them names, configurations their weights.
"""
