"""Signed manifests (C2PA) in WAV, FLAC and MP3, by the extra `c2pa`.

Neither signing nor reading uses the network: no time stamp, no OCSP, no manifest from elsewhere.
"""

import struct
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from voiceconv import __version__
from voiceconv.errors import InputError, RunError
from voiceconv.files import printable, read_text, replacing
from voiceconv.optional import load
from voiceconv.provenance.note import Note

_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg"}
_OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
BY_MODEL = (
    _SOURCES + "compositeWithTrainedAlgorithmicMedia"
)  # words of a recording, a model's voice
BY_RULE = _SOURCES + "algorithmicallyEnhanced"
_KEY_MODULES = ("serialization", "asymmetric.ec", "asymmetric.ed25519", "asymmetric.rsa")
_CURVES = {256: b"es256", 384: b"es384", 521: b"es512"}  # by the size of a key in bits
_ACTIONS, _NOTE = "c2pa.actions.v2", "org.voiceconv.note"


class Manifest(NamedTuple):
    """What a file's manifest says, and whether that holds.

    state: `Valid`: signed as it is, by a certificate that nobody vouches for; `Trusted`; `Invalid`.
    signer: the organisation that its certificate names.
    failures: codes of the C2PA specification.
    """

    state: str
    signer: str | None
    generator: str | None
    source_type: str | None
    note: Note | None
    failures: tuple[str, ...]


class Signer:
    """Signs files by a PEM chain, the signer's certificate first, and its private key.

    Raises InputError, before any work is done, for files that cannot sign.
    """

    def __init__(self, certificates: Path, key: Path) -> None:
        self._c2pa = _library()
        chain, private = _pem(certificates), _pem(key)
        try:
            info = self._c2pa.C2paSignerInfo(_algorithm(private, key), chain, private, None)
            self._signer = self._c2pa.Signer.from_info(info)
            self._sign(BytesIO(_silence()), BytesIO(), _TYPES[".wav"], BY_RULE, {})
        except self._c2pa.C2paError as error:
            raise InputError(
                f"{printable(certificates)} and {printable(key)} cannot sign ({_sentence(error)}); "
                "give a chain of certificates for C2PA and the key of its first"
            ) from None

    def seal(self, path: Path, name: Path | str, said: Note, by_model: bool) -> None:
        """Put a manifest into a complete file, in place; name: of the file that it will be."""
        source_type = BY_MODEL if by_model else BY_RULE
        try:
            with replacing(path) as signed, open(path, "rb") as made, open(signed, "wb+") as file:
                self._sign(made, file, _type(name), source_type, said)
        except self._c2pa.C2paError as error:
            raise RunError(f"{printable(name)} could not be signed: {_sentence(error)}") from None

    def _sign(
        self, made: BinaryIO, signed: BinaryIO, kind: str, source_type: str, said: Note
    ) -> None:
        program = {"name": "voiceconv", "version": __version__}
        created = {
            "action": "c2pa.created",
            "digitalSourceType": source_type,
            "softwareAgent": program,
        }
        manifest = {
            "claim_generator_info": [program],
            "assertions": [
                {"label": _ACTIONS, "data": {"actions": [created]}},
                {"label": _NOTE, "data": said},
            ],
        }
        context = self._c2pa.Context.from_dict(_OFFLINE)
        builder = self._c2pa.Builder(manifest, context)
        builder.sign(self._signer, kind, made, signed)


def check_signable(path: Path | str) -> None:
    """Raise InputError for a file that holds no manifest."""
    _type(path)


def read_manifest(path: Path | str) -> Manifest | None:
    """A file's manifest; None where it has none. Raises InputError without the extra `c2pa`."""
    c2pa = _library()
    try:
        with open(path, "rb") as file:
            context = c2pa.Context.from_dict(_OFFLINE)
            kind = _TYPES.get(Path(path).suffix.lower())
            reader = c2pa.Reader.try_create(kind, file, context=context)
            if reader is None:
                return None
            with reader:
                return _manifest(reader)
    except c2pa.C2paError as error:
        if "unsupported" in str(error).lower() or "NotFound" in str(error):
            return None
        return Manifest("Invalid", None, None, None, None, (_sentence(error),))


def _manifest(reader: Any) -> Manifest:
    content = reader.get_active_manifest() or {}
    results = (reader.get_validation_results() or {}).get("activeManifest") or {}
    assertions = {one["label"]: one.get("data") for one in content.get("assertions", [])}
    actions = (assertions.get(_ACTIONS) or {}).get("actions") or [{}]
    generators = content.get("claim_generator_info") or [{}]
    named = (generators[0].get(key) for key in ("name", "version"))
    generator = " ".join(str(one) for one in named if one)
    return Manifest(
        str(reader.get_validation_state()),
        (content.get("signature_info") or {}).get("issuer"),
        generator or None,
        actions[0].get("digitalSourceType"),
        assertions.get(_NOTE),
        tuple(one["code"] for one in results.get("failure", [])),
    )


def _library() -> Any:
    return load("c2pa", "a C2PA manifest", "c2pa-python", extra="c2pa")


def _type(path: Path | str) -> str:
    extension = Path(path).suffix.lower()
    if extension not in _TYPES:
        raise InputError(
            f"no C2PA manifest fits into {printable(path)}; end it in one of {' '.join(_TYPES)}"
        )
    return _TYPES[extension]


def _pem(path: Path) -> bytes:
    try:
        return read_text(path).encode()
    except OSError as error:
        raise InputError(
            f"cannot read {printable(path)}: {error.strerror}; give a PEM file"
        ) from None


def _algorithm(private: bytes, path: Path) -> bytes:
    """As C2PA calls it, of the key. Raises InputError for a key of another kind."""
    keys, curves, edwards, rsa = map(_primitives, _KEY_MODULES)
    try:
        key = keys.load_pem_private_key(private, password=None)
    except (ValueError, TypeError):
        raise InputError(
            f"{printable(path)} is no private key that can be read; give a PEM file without a "
            "password"
        ) from None
    if isinstance(key, rsa.RSAPrivateKey):
        return b"ps256"
    if isinstance(key, edwards.Ed25519PrivateKey):
        return b"ed25519"
    if isinstance(key, curves.EllipticCurvePrivateKey) and key.key_size in _CURVES:
        return _CURVES[key.key_size]
    raise InputError(
        f"{printable(path)} is a key that C2PA does not take; give one of P-256, P-384, P-521, "
        "Ed25519 or RSA"
    )


def _primitives(name: str) -> Any:
    module = f"cryptography.hazmat.primitives.{name}"
    return load(module, "a C2PA manifest", "cryptography", extra="c2pa")


def _silence() -> bytes:
    """A WAV of one sample, for a signature on trial."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    chunks = b"WAVE" + form + struct.pack("<4sIH", b"data", 2, 0)
    return struct.pack("<4sI", b"RIFF", len(chunks)) + chunks


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
