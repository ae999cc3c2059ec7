"""The server: the page, the answers, the experimenter's view."""
