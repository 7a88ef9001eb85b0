"""The encryption codec: `EncryptionCodec`, and the format of an encrypted payload.

Its content type is `application/x-durable-encrypted`. Its data is

    byte 0      version of the format: 1
    byte 1      algorithm: 1 AES-256-GCM, 2 ChaCha20-Poly1305
    byte 2      compression: 0 none, 1 zlib (RFC 1950)
    byte 3      length of the key id in bytes, 1 to 128
    then        the key id in UTF-8
    12 bytes    nonce: random, new for each value
    the rest    ciphertext, whose last 16 bytes are the tag

What is encrypted is the payload as a serialized `durable.v1.Payload`, with its content type and its
metadata, compressed as byte 2 says. The associated data is the content type followed by all bytes
before the nonce. So neither the value's own type nor the key id, the algorithm or the compression
can be changed unnoticed.

The place of a value is not bound: the control plane copies values from one place to another, such
as the result of a child to the journal of its parent, without a key.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from google.protobuf.message import DecodeError

from durable_proto.v1 import payload_pb2

from ..errors import UndecodableValueError
from .interface import Codec
from .keys import KEY_BYTES, FixedKeys, KeyProvider, check_key_id

ENCRYPTED: Final = "application/x-durable-encrypted"
"""The content type of an encrypted payload."""
VERSION: Final = 1
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
COMPRESSED_BYTES_MIN: Final = 256
"""A smaller value is not compressed: it would hardly become smaller."""
DECOMPRESSED_BYTES_MAX: Final = 64 * 1024 * 1024
"""The largest value that is decompressed; more than any limit of a control plane."""

Algorithm: TypeAlias = Literal["aes-256-gcm", "chacha20-poly1305"]

_ALGORITHMS: Final[dict[str, int]] = {"aes-256-gcm": 1, "chacha20-poly1305": 2}
_PLAIN: Final = 0
_ZLIB: Final = 1
_ASSOCIATED: Final = ENCRYPTED.encode()


class _Parts(NamedTuple):
    """An encrypted payload's data, taken apart."""

    header: bytes
    algorithm: int
    compression: int
    key_id: str
    nonce: bytes
    ciphertext: bytes


class EncryptionCodec(Codec):
    """Encrypts payloads, so that the control plane and its disks have only ciphertext.

    Arguments: `keys` are keys of 32 random bytes by id, or a KeyProvider such as KeyFile. Values
    are encrypted with the newest key, the last of a mapping, and decrypted with the key that they
    name. `algorithm` is "aes-256-gcm" or "chacha20-poly1305"; either is decrypted. With `compress`
    values are compressed with zlib first, where that makes them smaller: their size then says more
    about what is in them.

    To rotate keys, add the new key everywhere as one that is not the newest, then make it the
    newest; keep an old key as long as there are values that were encrypted with it.

    Failures, headers, handlers' names, keys of objects, names of steps, state and signals, and ids
    stay plain. Needs the package `cryptography`: install `durable-grpc[encryption]`.

    Raises ValueError for a key of another length, for no key, a bad id and an unknown algorithm,
    ImportError when `cryptography` is not installed.
    """

    def __init__(
        self,
        keys: Mapping[str, bytes] | KeyProvider,
        *,
        algorithm: Algorithm = "aes-256-gcm",
        compress: bool = False,
    ) -> None:
        number = _ALGORITHMS.get(algorithm)
        if number is None:
            known = " or ".join(map(repr, _ALGORITHMS))
            raise ValueError(f"algorithm must be {known}, not {algorithm!r}")
        self._algorithm: Final = number
        self._compress: Final = compress
        self._keys: Final = FixedKeys(keys) if isinstance(keys, Mapping) else keys
        self._cipher_of: Final = _ciphers()
        self._ciphers: Final[dict[tuple[int, str], tuple[bytes, Any]]] = {}
        """The ciphers that were used, with their keys, by algorithm and key id."""
        self._headers: Final[dict[tuple[str, int], bytes]] = {}

    def encode(self, payload: payload_pb2.Payload) -> payload_pb2.Payload:
        """Returns the encrypted payload. Raises ValueError for a newest key that cannot be used."""
        key_id = self._keys.newest()
        key = self._keys.key(key_id)
        if key is None:
            raise ValueError(f"the key provider has no key with the id {key_id!r}, its newest")
        plain = payload.SerializeToString()
        compression = _PLAIN
        if self._compress and len(plain) >= COMPRESSED_BYTES_MIN:
            smaller = zlib.compress(plain)
            if len(smaller) < len(plain):
                plain, compression = smaller, _ZLIB
        header = self._headers.get((key_id, compression))
        if header is None:
            name = check_key_id(key_id)
            header = bytes((VERSION, self._algorithm, compression, len(name))) + name
            self._headers[key_id, compression] = header
        nonce = os.urandom(NONCE_BYTES)
        cipher = self._cipher(self._algorithm, key_id, key)
        ciphertext: bytes = cipher.encrypt(nonce, plain, _ASSOCIATED + header)
        return payload_pb2.Payload(content_type=ENCRYPTED, data=header + nonce + ciphertext)

    def decode(self, payload: payload_pb2.Payload) -> payload_pb2.Payload:
        """Returns the decrypted payload.

        Raises UndecodableValueError for an unknown key, for data that was changed, and for data of
        another format.
        """
        if payload.content_type != ENCRYPTED:
            raise UndecodableValueError(
                f"its content type is {payload.content_type!r}, and the codec here reads {ENCRYPTED!r}"
            )
        parts = _parts(payload.data)
        key_id = parts.key_id
        key = self._keys.key(key_id)
        if key is None:
            raise UndecodableValueError(
                f"it is encrypted with the key {key_id!r}, which is not known here; add the key, and"
                " resume the invocation if it is held",
                key_id=key_id,
            )
        cipher = self._cipher(parts.algorithm, key_id, key)
        try:
            plain = cipher.decrypt(parts.nonce, parts.ciphertext, _ASSOCIATED + parts.header)
        except Exception as error:
            if type(error).__name__ != "InvalidTag":
                raise
            raise UndecodableValueError(
                f"it is not what was encrypted with the key {key_id!r}: it was changed, or another"
                " key has this id",
                key_id=key_id,
            ) from None
        if parts.compression == _ZLIB:
            plain = _decompressed(plain, key_id)
        try:
            return payload_pb2.Payload.FromString(plain)
        except DecodeError:
            raise _malformed("no payload is in it", key_id) from None

    def _cipher(self, algorithm: int, key_id: str, key: bytes) -> Any:
        """Returns the cipher of a key; makes it once, and again if a provider changes the key."""
        known = self._ciphers.get((algorithm, key_id))
        if known is not None and known[0] == key:
            return known[1]
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key {key_id!r} has {len(key)} bytes, and must have {KEY_BYTES}")
        cipher = self._cipher_of[algorithm](key)
        self._ciphers[algorithm, key_id] = key, cipher
        return cipher

    def __repr__(self) -> str:
        # Not the provider's own repr, which might show keys.
        return f"<EncryptionCodec with keys of {type(self._keys).__name__}>"


def key_id_of(payload: payload_pb2.Payload) -> str:
    """Returns the id of the key that a payload was encrypted with; "" for any other payload."""
    if payload.content_type != ENCRYPTED:
        return ""
    try:
        return _parts(payload.data).key_id
    except UndecodableValueError:
        return ""


def _parts(data: bytes) -> _Parts:
    """Takes data apart; raises UndecodableValueError for another format."""
    if len(data) < 4:
        raise _malformed(f"it has {len(data)} bytes")
    version, algorithm, compression, length = data[:4]
    if version != VERSION:
        raise _malformed(f"its format has the version {version}, and this SDK reads {VERSION}")
    start = 4 + length
    if len(data) < start + NONCE_BYTES + TAG_BYTES:
        raise _malformed(f"it ends after {len(data)} bytes")
    try:
        key_id = data[4:start].decode()
    except UnicodeDecodeError:
        raise _malformed("its key id is no UTF-8") from None
    if algorithm not in _ALGORITHMS.values():
        raise _malformed(f"its algorithm has the number {algorithm}", key_id)
    if compression not in (_PLAIN, _ZLIB):
        raise _malformed(f"its compression has the number {compression}", key_id)
    nonce, ciphertext = data[start : start + NONCE_BYTES], data[start + NONCE_BYTES :]
    return _Parts(data[:start], algorithm, compression, key_id, nonce, ciphertext)


def _malformed(problem: str, key_id: str = "") -> UndecodableValueError:
    return UndecodableValueError(
        f"it is no {ENCRYPTED} as this SDK knows it: {problem}", key_id=key_id
    )


def _decompressed(data: bytes, key_id: str) -> bytes:
    reader = zlib.decompressobj()
    try:
        plain = reader.decompress(data, DECOMPRESSED_BYTES_MAX)
    except zlib.error as error:
        raise _malformed(f"it cannot be decompressed: {error}", key_id) from None
    if not reader.eof:
        raise _malformed(f"it has more than {DECOMPRESSED_BYTES_MAX} bytes, or ends early", key_id)
    return plain


def _ciphers() -> dict[int, Callable[[bytes], Any]]:
    """Returns the ciphers by their numbers; raises ImportError if they are not installed."""
    try:
        # Imported here because most programs encrypt nothing.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
    except ImportError as error:
        raise ImportError(
            "EncryptionCodec needs the package cryptography: pip install 'durable-grpc[encryption]'"
        ) from error
    return {1: AESGCM, 2: ChaCha20Poly1305}
