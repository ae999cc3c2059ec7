"""The data doctor, `voiceconv check`: what is wrong with a corpus, and a mended copy of it."""
