"""Listening tests: stimuli, pages, collection of answers, analysis."""
