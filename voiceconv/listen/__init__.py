"""Listening tests as a build product: stimuli, pages, collection of answers, analysis."""
