"""Export of listening tests to other tools, and import of their answers."""
