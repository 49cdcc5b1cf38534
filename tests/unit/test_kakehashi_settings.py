"""Settings: defaults, file, environment; unknown keys are errors that name the key."""

from pathlib import Path

import pytest

from kakehashi.errors import ConfigError
from kakehashi.paths import Home
from kakehashi.settings import load


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path))
    return tmp_path


def test_defaults_need_no_file() -> None:
    settings = load()
    assert settings.language == "ja"
    assert settings.gateway_base_url(settings.minutes) == "http://127.0.0.1:8080/v1"


def test_environment_beats_the_file(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_home / "config.yaml").write_text("language: en\ngateway: {port: 9000}\n")
    assert load().gateway.port == 9000
    monkeypatch.setenv("KAKEHASHI_GATEWAY__PORT", "9100")
    settings = load()
    assert (settings.language, settings.gateway.port) == ("en", 9100)


def test_an_app_may_use_another_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKEHASHI_MINUTES__GATEWAY_URL", "https://llm.example/v1")
    settings = load()
    assert settings.gateway_base_url(settings.minutes) == "https://llm.example/v1"
    assert settings.gateway_base_url(settings.proposals).startswith("http://127.0.0.1")


@pytest.mark.parametrize(
    ("text", "named"),
    [("engin: {}\n", "engin"), ("gateway: {prot: 1}\n", "gateway.prot"), ("gateway: {port: many}\n", "gateway.port")],
)
def test_a_wrong_key_or_value_is_named(own_home: Path, text: str, named: str) -> None:
    (own_home / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=named):
        load()


def test_broken_yaml_is_said_so(own_home: Path) -> None:
    (own_home / "config.yaml").write_text("gateway: [")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load()


def test_the_home_keeps_secrets_and_jobs_to_its_owner(own_home: Path) -> None:
    home = Home(own_home / "新しい home").make()
    assert [oct(p.stat().st_mode & 0o777) for p in (home.secrets, home.jobs)] == ["0o700", "0o700"]
