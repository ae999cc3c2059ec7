"""Common parts of generated pages: templates that escape, figures in the page's colours."""
