"""Certificates for servers of a check's own: one that is right, and each way in which one can be wrong."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

SERVER_ADDRESS: Final = "127.0.0.1"
_ELSEWHERE: Final = "elsewhere.invalid"
_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files; those of servers hold their keys too. All but `self_signed` are signed by `authority`."""

    authority: Path
    good: Path
    self_signed: Path
    wrong_host: Path
    expired: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Write new ones, which only this user can read."""
        signer = _Signer()
        now = dt.datetime.now(dt.UTC)
        today, past = (now - _DAY, now + _DAY), (now - 9 * _DAY, now - _DAY)
        address = x509.IPAddress(ipaddress.ip_address(SERVER_ADDRESS))
        authority = _write(folder / "authority.pem", signer.certificate.public_bytes(Encoding.PEM))
        return cls(
            authority=authority,
            good=_write(folder / "good.pem", signer.issue(address, today)),
            self_signed=_write(folder / "self-signed.pem", _Signer(SERVER_ADDRESS).issue_for_itself(address, today)),
            wrong_host=_write(folder / "wrong-host.pem", signer.issue(x509.DNSName(_ELSEWHERE), today)),
            expired=_write(folder / "expired.pem", signer.issue(address, past)),
        )


_Span = tuple[dt.datetime, dt.datetime]


class _Signer:
    def __init__(self, name: str = "authority of a security check") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        now = dt.datetime.now(dt.UTC)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        self.certificate = (
            _begin(self._name, self._name, self._key, (now - 30 * _DAY, now + _DAY))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, SHA256())
        )

    def issue(self, subject: x509.GeneralName, span: _Span) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = (
            _begin(_name(str(subject.value)), self._name, key, span)
            .add_extension(x509.SubjectAlternativeName([subject]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, SHA256())
        )
        return _dump(signed, key)

    def issue_for_itself(self, subject: x509.GeneralName, span: _Span) -> bytes:
        signed = (
            _begin(self._name, self._name, self._key, span)
            .add_extension(x509.SubjectAlternativeName([subject]), critical=False)
            .sign(self._key, SHA256())
        )
        return _dump(signed, self._key)


def _begin(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, span: _Span) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(span[0])
        .not_valid_after(span[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _dump(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bytes:
    return certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path
