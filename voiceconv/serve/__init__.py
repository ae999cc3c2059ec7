"""`voiceconv serve`: conversions as jobs over HTTP, and live ones over a WebSocket.

The server's process has no torch: programs of their own convert (`converting`) and stream
(`streaming`), so that a bad file costs one of them, and the event loop never waits for a network.
"""
