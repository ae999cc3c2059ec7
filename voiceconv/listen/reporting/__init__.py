"""An analysis as a page, a table, a figure and a paragraph."""
