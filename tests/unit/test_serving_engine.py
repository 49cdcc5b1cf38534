"""The engine's command line and environment, and the parts' addresses; nothing is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakehashi.errors import ConfigError, NotReady
from kakehashi.paths import home
from kakehashi.settings import Settings, load
from serving import components, engine, models, prepare, runtime


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A KAKEHASHI_HOME with a prepared model, and an engine environment that looks installed."""
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path / "架け橋 home"))
    folder = home().make().models / "qwen2.5-1.5b-w8a8"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("… <tool_call> …")
    models.write_manifest(folder, {})
    venv = tmp_path / "venv-engine"
    (venv / "bin").mkdir(parents=True)
    (venv / "lib").mkdir()
    (venv / "bin" / "python").touch()
    (venv / "lib" / "libiomp5.so").touch()
    monkeypatch.setattr(runtime, "environment_dir", lambda: venv)
    return venv


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def test_the_command_serves_the_prepared_model_on_the_loopback() -> None:
    arguments = engine.command(Settings())
    assert option(arguments, "--model") == "models/qwen2.5-1.5b-w8a8"  # relative: no place of this machine in the logs
    assert option(arguments, "--served-model-name") == "qwen2.5-1.5b"
    assert option(arguments, "--host") == "127.0.0.1"
    assert option(arguments, "--tool-call-parser") == "hermes"
    assert option(arguments, "--kv-cache-memory-bytes") == str(2 * 1024**3)
    assert "--enforce-eager" in arguments


def test_settings_and_further_arguments_reach_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKEHASHI_ENGINE__KV_CACHE_GIB", "0.5")
    monkeypatch.setenv("KAKEHASHI_ENGINE__EAGER", "false")
    monkeypatch.setenv("KAKEHASHI_ENGINE__EXTRA_ARGS", '["--tool-call-parser", "mistral"]')
    arguments = engine.command(load())
    assert option(arguments, "--kv-cache-memory-bytes") == str(512 * 1024**2)
    assert "--enforce-eager" not in arguments
    assert arguments.count("--tool-call-parser") == 1
    assert arguments[-1] == "mistral"


def test_a_gpu_gets_neither_the_settings_of_the_cpu_nor_int8(installed: Path) -> None:
    (installed / "kakehashi-engine").write_text("gpu\n")
    settings = Settings()
    assert prepare.wanted_precision(settings, "qwen2.5-1.5b") == "bf16"
    (home().models / "qwen2.5-1.5b-w8a8").rename(home().models / "qwen2.5-1.5b-bf16")
    arguments = engine.command(settings)
    assert not {"--enforce-eager", "--kv-cache-memory-bytes"} & set(arguments)
    assert "LD_PRELOAD" not in engine.environment()


def test_the_environment_is_offline_silent_and_uses_all_cores(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "cores", lambda: [0, 1])
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    env = engine.environment()
    assert env["HF_HUB_OFFLINE"] == env["VLLM_NO_USAGE_STATS"] == env["DO_NOT_TRACK"] == "1"
    assert env["VLLM_CPU_OMP_THREADS_BIND"] == "0-1"
    assert env["LD_PRELOAD"].split(":")[0] == str(installed / "lib" / "libiomp5.so")
    assert "PYTHONDONTWRITEBYTECODE" not in env


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.5", "::", "example.com"])  # noqa: S104
def test_the_engine_refuses_to_listen_for_others(host: str) -> None:
    with pytest.raises(ConfigError, match="must not be reachable from outside"):
        engine.check_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_any_loopback_address_will_do(host: str) -> None:
    engine.check_loopback(host)


def test_without_model_or_engine_the_missing_step_is_named(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (installed / "bin" / "python").unlink()
    with pytest.raises(NotReady, match="make setup"):
        engine.command(Settings())
    monkeypatch.setenv("KAKEHASHI_ENGINE__MODEL", "embedded:qwen2.5-0.5b")
    with pytest.raises(NotReady, match="kakehashi models fetch"):
        engine.command(load())


@given(st.sets(st.integers(0, 40), min_size=1))
def test_core_ranges_say_exactly_the_cores(numbers: set[int]) -> None:
    said = set()
    for run in engine.as_ranges(sorted(numbers)).split(","):
        first, _, last = run.partition("-")
        said |= set(range(int(first), int(last or first) + 1))
    assert said == numbers


def test_many_cores_count_one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(engine, "_siblings", lambda cpu: f"{cpu % 4},{cpu % 4 + 4}")
    assert engine.cores() == [0, 1, 2, 3]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert engine.cores() == [3]


# -- components -------------------------------------------------------------------------------------------------------


def test_two_parts_may_not_want_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKEHASHI_MINUTES__PORT", "8080")
    with pytest.raises(ConfigError, match=r"'minutes\.port': gateway\.port is 8080 too"):
        components.components(load())


@pytest.mark.parametrize(
    ("variable", "value"),
    [("KAKEHASHI_ENGINE__MODEL", "http://gpu:8000/v1"), ("KAKEHASHI_GATEWAY__UPSTREAM", "http://gpu:8000/v1")],
)
def test_an_engine_elsewhere_is_external(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    found = components.look(components.components(load())[0])
    assert (found.name, found.state, found.url, found.pid) == ("engine", "external", "http://gpu:8000/v1", None)


def test_what_does_not_run_is_stopped() -> None:
    states = {item.name: item.state for item in components.status(Settings()).components}
    assert states == dict.fromkeys(components.NAMES, "stopped")


def test_a_part_listening_everywhere_is_asked_on_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKEHASHI_GATEWAY__HOST", "0.0.0.0")  # noqa: S104
    gateway = components.components(load())[1]
    assert gateway.url == "http://127.0.0.1:8080/v1"


def test_pages_send_nothing_home_and_take_the_uploads_the_settings_allow() -> None:
    minutes = components.streamlit_command("minutes", Settings().minutes)
    proposals = components.streamlit_command("proposals", Settings().proposals)
    assert "--browser.gatherUsageStats=false" in minutes
    assert "--server.enableXsrfProtection=true" in minutes
    assert "--server.maxUploadSize=2048" in minutes
    assert "--server.maxUploadSize=50" in proposals
