"""WebSockets; apart, because only their servers have the package for them."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from voiceconv.web.patience import Patient


class PatientWebSocket(Patient, WebSocketsSansIOProtocol):
    """A WebSocket whose client has to read."""
