"""Pure functions from tensors to one scalar; objectives give them names, configurations their weights."""
