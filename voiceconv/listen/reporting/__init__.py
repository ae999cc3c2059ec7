"""Reports of an analysis: page, table, figure, paragraph."""
