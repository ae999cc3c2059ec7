"""What generated pages share: templates that escape, pictures in the page's colours."""
