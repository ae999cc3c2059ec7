"""A chain of certificates for C2PA that nobody vouches for; also for benchmarks/origin.py."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_USES = (
    "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
    "key_cert_sign crl_sign encipher_only decipher_only"
).split()


def write_chain(folder: Path) -> tuple[Path, Path]:
    """Write chain.pem and key.pem: a signer of the organisation `Test` below its own authority."""
    above, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    signer = _certificate("signer", own, above, {"digital_signature"}).add_extension(usage, False)
    authority = _certificate("authority", above, above, {"key_cert_sign", "crl_sign"})
    chain = [one.sign(above, hashes.SHA256()) for one in (signer, authority)]
    certificates, key = folder / "chain.pem", folder / "key.pem"
    certificates.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
    key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificates, key


def _certificate(
    name: str,
    own: ec.EllipticCurvePrivateKey,
    above: ec.EllipticCurvePrivateKey,
    uses: set[str],
) -> x509.CertificateBuilder:
    start = datetime.datetime(2025, 1, 1)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("authority"))
        .public_key(own.public_key())
        .serial_number(1 + (own is above))
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36_500))
        .add_extension(x509.BasicConstraints(own is above, None), True)
        .add_extension(x509.KeyUsage(**{use: use in uses for use in _USES}), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), False
        )
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
