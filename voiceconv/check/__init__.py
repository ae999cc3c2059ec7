"""`voiceconv check`: find faults in a corpus, and write a mended copy."""
