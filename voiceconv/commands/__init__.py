"""The implementation of each command, one file per command; `cli/` calls them."""
