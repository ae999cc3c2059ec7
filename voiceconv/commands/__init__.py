"""What one command does, a file a command; the command line hands over to them."""
