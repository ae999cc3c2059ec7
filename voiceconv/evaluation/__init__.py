"""Scores of converted recordings that say how they were made, and comparisons that check it."""
