"""A real S3 server (SeaweedFS) on loopback, with a bucket that is made with the first object put into it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sysconfig
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

from services.local.ports import choose_ports
from shared.objects import ObjectStoreError, open_store
from shared.settings import Settings

_KEY, _SECRET = "casebound", "only-for-this-test"
_PARTS = ("master", "volume", "filer", "s3")
_START_SECONDS = 60


@asynccontextmanager
async def s3_server() -> AsyncIterator[str]:
    """Run it; yields the URL of a bucket, which the environment's `AWS_*` variables give access to."""
    with tempfile.TemporaryDirectory(prefix="casebound-s3-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        ports = choose_ports([*_PARTS, *(f"{part}.grpc" for part in _PARTS)], {})
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports['s3']}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
        }
        with (directory / "weed.out").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *_command(directory, ports), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            with patch.dict(os.environ, environment):
                url = "s3://casebound/files"
                await _ready(url, process, directory)
                yield url
        finally:
            if process.returncode is None:
                process.kill()  # it takes ten seconds to stop, and has nothing to keep
            await process.wait()
            _remove_sockets(ports)


def _remove_sockets(ports: dict[str, int]) -> None:
    """It leaves some in `/tmp`, named by their ports."""
    for port in ports.values():
        for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            socket.unlink()


def _command(directory: Path, ports: dict[str, int]) -> list[str]:
    access = {"credentials": [{"accessKey": _KEY, "secretKey": _SECRET}], "actions": ["Admin", "Read", "Write", "List"]}
    (directory / "s3.json").write_text(json.dumps({"identities": [{"name": "casebound", **access}]}))
    return [
        str(Path(sysconfig.get_path("scripts")) / "weed"),
        f"-logdir={directory}",
        "server",
        f"-dir={directory}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=10",
        f"-filer.localSocket={directory / 'filer.sock'}",
        "-s3",
        f"-s3.config={directory / 's3.json'}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        *(f"-{part}.port={ports[part]}" for part in _PARTS),
        *(f"-{part}.port.grpc={ports[f'{part}.grpc']}" for part in _PARTS),
    ]


async def _ready(url: str, process: asyncio.subprocess.Process, directory: Path) -> None:
    store = open_store(Settings(object_store_url=url))
    async with asyncio.timeout(_START_SECONDS):
        while True:
            assert process.returncode is None, (directory / "weed.out").read_text()
            try:
                return await store.check()
            except ObjectStoreError:
                await asyncio.sleep(0.2)
