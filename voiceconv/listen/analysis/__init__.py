"""Analysis of answers: screening, means and intervals, comparisons, planning."""
