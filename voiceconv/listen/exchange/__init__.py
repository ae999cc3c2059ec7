"""Listening tests for other people's tools, and answers from them."""
