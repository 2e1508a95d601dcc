"""Encryption of everything Temporal stores: payloads and failures, with a ring of keys that can be rotated."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
NONCE_BYTES = 12
KEY_BYTES = 32


class KeyRingCodec(PayloadCodec):
    """AES-256-GCM over whole payloads; the key's id travels in the metadata.

    Args:
        keys: key id to 32-byte key; the first encrypts, all decrypt.
    """

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(iter(keys))

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        nonce = os.urandom(NONCE_BYTES)
        key_id = self._current.encode()
        sealed = self._ciphers[self._current].encrypt(nonce, payload.SerializeToString(), key_id)
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key_id}, data=nonce + sealed)

    def _decrypt(self, payload: Payload) -> Payload:
        """What can't be decrypted stays as it is.

        An exception here would fail the whole workflow task, so that one signal sealed with a foreign key would wedge
        a case for good; left alone, the payload fails where it is read, and is refused there.
        """
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(KEY_ID, b"")
        cipher = self._ciphers.get(key_id.decode(errors="replace"))
        if cipher is None:
            return payload
        try:
            opened = cipher.decrypt(payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:], key_id)
        except InvalidTag:
            return payload
        return Payload.FromString(opened)


def parse_key_ring(text: str) -> dict[str, bytes]:
    """Read ``CASEBOUND_PAYLOAD_KEYS``: ``id:base64,id:base64``.

    Raises:
        ValueError: no key, or one that is not 32 bytes in base64; names the key, never shows it.
    """
    keys: dict[str, bytes] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        key_id, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if not key_id or len(key) != KEY_BYTES:
            raise ValueError(f"CASEBOUND_PAYLOAD_KEYS: key «{key_id}» must be id:base64 of {KEY_BYTES} bytes")
        keys[key_id] = key
    if not keys:
        raise ValueError(
            "CASEBOUND_PAYLOAD_KEYS is empty; make a key with: "
            "python -c 'import base64, os; print(\"k1:\" + base64.b64encode(os.urandom(32)).decode())'"
        )
    return keys
