"""The page served, answers kept, and the experimenter's view."""
