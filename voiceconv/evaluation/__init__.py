"""Scores of converted recordings with their protocol, and comparisons that check it."""
