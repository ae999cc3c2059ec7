"""Answers analysed: who counts, means and intervals, comparisons, planning."""
