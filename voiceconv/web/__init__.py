"""What all servers have in common: guards of endpoints, how they listen and run."""
