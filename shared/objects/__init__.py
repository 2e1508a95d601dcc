"""Where the contents of files are kept: a folder or an S3 bucket, behind one small port."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from shared.settings import Settings

PART_BYTES = 5 * 1024 * 1024
"""The smallest part that S3 takes of an object sent in parts; of each upload about two are held in memory."""
CHUNK_BYTES = 1024 * 1024
"""What is read at once: a reader who stalls holds no connection to the store."""


class ObjectStoreError(Exception):
    """The store could not do what was asked: it is away, full, or refuses us."""


class NoSuchObjectError(ObjectStoreError):
    """The store has no object of that name."""


class ObjectStore:
    """Objects by name, each written once and read in chunks.

    Args:
        store: where they are.
        folder: the same, where that is a folder.
    """

    def __init__(self, store: LocalStore | S3Store, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        """Write an object from a stream, of which only a part is ever held in memory.

        Nothing is written under the name if the stream raises, which then raises here as it is.

        Returns:
            How many bytes it has.

        Raises:
            ObjectStoreError: it could not be written.
        """
        self._be_there()
        written = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal written
            async for chunk in chunks:
                written += len(chunk)
                yield chunk

        try:
            await obstore.put_async(self._store, name, counted(), chunk_size=PART_BYTES, max_concurrency=1)
        except BaseError as error:
            raise ObjectStoreError(_told(error)) from error
        return written

    async def read(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of an object from ``start`` to before ``end``, in chunks.

        Raises:
            NoSuchObjectError: there is no such object.
            ObjectStoreError: it could not be read.
        """
        self._be_there()
        while start < end:
            try:
                chunk = await obstore.get_range_async(self._store, name, start=start, end=min(start + CHUNK_BYTES, end))
            except FileNotFoundError as error:
                raise NoSuchObjectError(name) from error
            except BaseError as error:
                raise ObjectStoreError(_told(error)) from error
            start += len(chunk)
            yield bytes(chunk)

    async def delete(self, name: str) -> None:
        """Delete an object; one that is not there is fine.

        Raises:
            ObjectStoreError: it could not be deleted.
        """
        self._be_there()
        try:
            await obstore.delete_async(self._store, name)
        except FileNotFoundError:
            return
        except BaseError as error:
            raise ObjectStoreError(_told(error)) from error

    async def check(self) -> None:
        """Write, read and delete a small object.

        Raises:
            ObjectStoreError: one of them is not possible.
        """
        name, content = f"probe/{uuid.uuid4()}", b"Casebound was here."

        async def chunks() -> AsyncIterator[bytes]:
            yield content

        await self.put(name, chunks())
        found = b"".join([chunk async for chunk in self.read(name, 0, len(content))])
        await self.delete(name)
        if found != content:
            raise ObjectStoreError("it gives back something else than was written")

    def _be_there(self) -> None:
        """Else a folder that was moved away, or whose disk is not mounted, would be made anew, empty."""
        if self._folder and not self._folder.is_dir():
            raise ObjectStoreError(_gone(self._folder))


def open_store(settings: Settings, *, make: bool = True) -> ObjectStore:
    """The store that ``CASEBOUND_OBJECT_STORE_URL`` names; S3's key, region and endpoint come from ``AWS_*``.

    Args:
        settings: name it.
        make: whether a folder that is not there is made.

    Raises:
        ValueError: the URL is of neither kind, or the folder is not there or can't be made.
    """
    url = settings.files_url
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        folder = Path(unquote(parts.path))
        try:
            if make:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"CASEBOUND_OBJECT_STORE_URL: can't make the folder {folder}: {error.strerror}") from error
        if not folder.is_dir():
            raise ValueError(_gone(folder))
        return ObjectStore(LocalStore(folder), folder)
    if parts.scheme == "s3" and parts.netloc:
        return ObjectStore(_bucket(parts.netloc, parts.path.strip("/")))
    raise ValueError(f"CASEBOUND_OBJECT_STORE_URL is {url}; it must read file:///folder or s3://bucket/prefix")


def _bucket(bucket: str, prefix: str) -> S3Store:
    plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true", "yes"}
    return S3Store(
        bucket,
        prefix=prefix or None,
        client_options={"allow_http": plain, "connect_timeout": "5s", "timeout": "60s"},
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
    )


def _gone(folder: Path) -> str:
    return f"the folder {folder} is not there: mount it, or put it back"


def _told(error: BaseError) -> str:
    return str(error).split("\n\nDebug source", maxsplit=1)[0][:500]
