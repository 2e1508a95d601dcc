"""The search service on real Postgres and NATS: stopped, killed, damaged, and built anew while it answers."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from services.search import main
from services.search.index import IndexBrokenError
from services.search.index_directory import IndexDirectory
from services.search.reindex_command import ReindexError
from services.search.reindex_command import run as reindex
from shared.contracts.search import After
from shared.contracts.subjects import CASES_STREAM
from shared.settings import Settings
from tests.search_world import (
    World,
    answering,
    comment,
    copies,
    copy_name,
    one_case,
    open_world,
    service,
)
from tests.stack import free_port
from tests.waiting import PATIENCE, until


@pytest_asyncio.fixture(loop_scope="session")
async def world(servers: Settings) -> AsyncIterator[World]:
    async with open_world(servers) as opened:
        yield opened


# --- stopping, starting, dying -------------------------------------------------------------------------------------


async def test_a_restart_goes_on_where_it_stopped(world: World, tmp_path: Path) -> None:
    desk = await world.add_desk()
    async with service(world, tmp_path):
        await world.add([one_case(desk, number) for number in range(1, 6)])
    name = copy_name(tmp_path)
    await world.add([one_case(desk, number) for number in range(6, 11)])
    async with service(world, tmp_path):
        await world.until_found(desk, "", 10)
    assert copy_name(tmp_path) == name


async def test_a_killed_service_comes_back_with_everything(world: World, tmp_path: Path) -> None:
    desk = await world.add_desk()
    directory = tmp_path / "index"
    async with running(world, directory) as process:
        await world.add([one_case(desk, 1)])
        await world.until_found(desk, "", 1)
        name = copy_name(directory)
        cases = [one_case(desk, number) for number in range(2, 60)]
        adding = asyncio.create_task(world.add(cases))
        await until(lambda: _some(world, desk))
        process.kill()
        await process.wait()
        await adding
    port = free_port()
    async with (
        running(world, directory, CASEBOUND_METRICS_PORT=str(port)) as process,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        await world.until_found(desk, "", 59)
        assert (await client.get("/readyz")).status_code == 200
        await until(lambda: _measures_pending(client))
        assert copy_name(directory) == name
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


async def _some(world: World, desk: str) -> bool:
    return (await world.find(desk)).total > 1


async def _measures_pending(client: httpx.AsyncClient) -> bool:
    return "casebound_consumer_pending{" in (await client.get("/metrics")).text


@asynccontextmanager
async def running(world: World, directory: Path, **more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The search service as a process, from its first answer on; gone afterwards, whatever happens."""
    settings = {
        "CASEBOUND_DATABASE_URL": world.settings.database_url,
        "CASEBOUND_NATS_URL": world.settings.nats_url,
        "CASEBOUND_SEARCH_INDEX_DIR": str(directory),
        "CASEBOUND_DATA_DIR": str(directory.parent),
    }
    program = "from shared.settings import load_settings; from services.search.main import run; run(load_settings())"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=os.environ | settings | more)
    try:
        await answering(world)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_an_index_whose_consumer_is_gone_is_built_anew(world: World, tmp_path: Path) -> None:
    desk = await world.add_desk()
    async with service(world, tmp_path):
        await world.add([one_case(desk, 1)])
        await world.until_found(desk, "", 1)
    name, node = copy_name(tmp_path), _node(tmp_path)
    await world.bus.js.delete_consumer(CASES_STREAM, f"indexer-{node}")
    await world.add([one_case(desk, 2)])
    async with service(world, tmp_path):
        await world.until_found(desk, "", 2)
        assert copy_name(tmp_path) != name
        assert _node(tmp_path) != node
    assert copies(tmp_path) == [copy_name(tmp_path)]


def _node(directory: Path) -> str:
    return str(json.loads((directory / "node.json").read_text())["id"])


async def test_a_consumer_lost_while_running_costs_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "_CHECK_SECONDS", 0.1)
    desk = await world.add_desk()
    async with service(world, tmp_path):
        await world.add([one_case(desk, 1)], tell=False)  # its event is among those that NATS loses
        await world.bus.js.delete_consumer(CASES_STREAM, f"indexer-{_node(tmp_path)}")
        await world.until_found(desk, "", 1)
        await world.add([one_case(desk, 2)])
        await world.until_found(desk, "", 2)


@pytest.mark.parametrize("damage", ["deleted", "emptied", "flipped"])
async def test_a_damaged_index_is_built_anew_at_the_start(world: World, tmp_path: Path, damage: str) -> None:
    desk = await world.add_desk()
    directory = tmp_path / "index"
    async with service(world, directory):
        await world.add([one_case(desk, 1)])
        await world.until_found(desk, "", 1)
    copy = directory / copy_name(directory)
    if damage == "deleted":
        shutil.rmtree(directory)
    elif damage == "emptied":
        (copy / "meta.json").write_bytes(b"")
    else:
        terms = next(copy.glob("*.term"))
        content = bytearray(terms.read_bytes())
        content[len(content) // 2] ^= 1
        terms.write_bytes(content)
    async with service(world, directory):
        await world.until_found(desk, "", 1)
        assert copy_name(directory) != copy.name


async def test_an_index_deleted_under_a_running_service_is_built_anew(world: World, tmp_path: Path) -> None:
    desk = await world.add_desk()
    directory = tmp_path / "index"
    async with service(world, directory):
        await world.add([one_case(desk, 1)])
        await world.until_found(desk, "", 1)
        shutil.rmtree(directory)
        await world.add([one_case(desk, 2)])
        await world.until_found(desk, "", 2)
        assert (directory / copy_name(directory) / "meta.json").exists()


# --- building anew -------------------------------------------------------------------------------------------------


async def test_the_old_index_answers_and_follows_while_a_new_one_is_built(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.search.rebuild._BATCH", 20)
    desk = await world.add_desk()
    async with service(world, tmp_path):
        cases = await world.add([one_case(desk, number) for number in range(1, 201)])
        await world.until_found(desk, "", 200)
        name = copy_name(tmp_path)
        building = asyncio.create_task(asyncio.to_thread(reindex, world.settings, None))
        totals, during = set[int](), 0
        while not building.done():
            case = cases[during % len(cases)]
            during += 1
            await world.happen(case, comment(1 + during, f"during{during}"))
            answer = await world.find(desk, after=After(case_id=case.id, seq=1 + during))
            totals.add(answer.total)
            assert not answer.stale
        await building
        assert during >= 3
        assert totals == {200}
        assert copy_name(tmp_path) != name
        assert (await world.find(desk, "during")).total == min(during, 200)
    assert copies(tmp_path) == [copy_name(tmp_path)]


async def test_one_desk_is_indexed_again_in_place(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk, other = await world.add_desk(), await world.add_desk()
    async with service(world, tmp_path):
        name = copy_name(tmp_path)
        await world.add([one_case(desk, 1), one_case(other, 1)], tell=False)
        await asyncio.to_thread(reindex, world.settings, desk)
        assert copy_name(tmp_path) == name
        assert (await world.find(desk)).total == 1
        assert (await world.find(other)).total == 0
        assert "1/1" in capsys.readouterr().out
        with pytest.raises(ReindexError, match="there is no desk 'nowhere'"):
            await asyncio.to_thread(reindex, world.settings, "nowhere")


async def test_reindex_says_so_when_no_search_service_runs(world: World) -> None:
    with pytest.raises(ReindexError, match="no search service answers; start it"):
        await asyncio.to_thread(reindex, world.settings, None)


async def test_a_rebuild_that_fails_leaves_the_old_index(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await world.add_desk()
    async with service(world, tmp_path):
        await world.add([one_case(desk, 1)])
        await world.until_found(desk, "", 1)
        name = copy_name(tmp_path)

        def full(_self: IndexDirectory) -> None:
            raise IndexBrokenError("no space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(IndexDirectory, "create", full)
            with pytest.raises(ReindexError, match="no space left on device; the index is as it was"):
                await asyncio.to_thread(reindex, world.settings, None)
        assert (await world.find(desk)).total == 1
        assert copy_name(tmp_path) == name
