"""The one settings class: defaults, then ``$KAKEHASHI_HOME/config.yaml``, then environment variables.

An environment variable is ``KAKEHASHI_`` + section + ``__`` + key, for example ``KAKEHASHI_ENGINE__MODEL``.
Unknown keys are errors. Each part reads its own section only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from kakehashi.errors import ConfigError
from kakehashi.paths import Home, home


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EngineSettings(Section):
    """The language model server (vLLM)."""

    model: str = Field(
        "embedded:qwen2.5-1.5b",
        description="embedded:NAME (qwen2.5-1.5b, qwen2.5-0.5b, smollm2-135m), a Hugging Face id, "
        "a local folder, a .gguf file, or the http(s) URL of an OpenAI-compatible server",
    )
    host: str = "127.0.0.1"
    port: int = 8000
    max_model_len: int = Field(8192, description="longest prompt plus answer, in tokens")
    kv_cache_gib: float = Field(2.0, description="memory for the KV cache on the CPU, GiB")
    eager: bool = Field(True, description="skip compilation: quicker start, slightly slower tokens")
    quantise: bool = Field(True, description="make an int8 (W8A8) copy for the CPU at set-up")
    extra_args: list[str] = Field([], description="further arguments for vLLM")
    start_timeout_s: float = 900.0


class GatewaySettings(Section):
    """The gateway: one OpenAI-compatible address for everybody."""

    host: str = "127.0.0.1"
    port: int = 8080
    admin_port: int | None = Field(8081, description="admin API, on its own port; null switches it off")
    upstream: str | None = Field(None, description="base URL of the engine (…/v1); default: the engine of this machine")
    upstream_api_key_file: Path | None = Field(None, description="file with the upstream's API key")
    models: dict[str, str] = Field({}, description="alias → model name upstream; 'default' is the first model if unset")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default SQLite in KAKEHASHI_HOME")
    redis_url: str | None = Field(None, description="shared limits for several gateways; default in-process")
    policy: Path | None = Field(
        None, description="guardrail policy file; default gateway/guardrails/policies/default.yaml"
    )
    max_body_bytes: int = 4 * 1024 * 1024
    connect_timeout_s: float = 5.0
    first_byte_timeout_s: float = Field(300.0, description="longest wait for the first byte of an answer")
    idle_timeout_s: float = Field(120.0, description="longest silence inside an answer")
    audit_bodies: bool = Field(True, description="keep encrypted prompts and answers")
    audit_fail_closed: bool = Field(True, description="refuse requests when the audit record cannot be stored")


class AppSettings(Section):
    host: str = "127.0.0.1"
    gateway_url: str | None = Field(None, description="base URL (…/v1); default: the gateway of this machine")
    key_file: Path | None = Field(None, description="file with the virtual key; default in KAKEHASHI_HOME/secrets")
    model: str = Field("default", description="model name or alias at the gateway")
    request_timeout_s: float = 600.0
    parallel: int = Field(8, description="requests sent to the gateway together")
    user_header: str | None = Field(None, description="header in which a trusted sign-in proxy names the user")
    jobs_database_url: str | None = Field(None, description="PostgreSQL URL for jobs; default SQLite in KAKEHASHI_HOME")


class MinutesSettings(AppSettings):
    port: int = 8501
    whisper: str = Field(
        "embedded:whisper-base", description="embedded:NAME or a folder with a CTranslate2 Whisper model"
    )
    whisper_threads: int = Field(0, description="0: all cores")
    max_upload_mib: int = 2048
    max_hours: float = 6.0


class ProposalsSettings(AppSettings):
    port: int = 8502
    max_attachment_mib: int = 50


class Settings(BaseSettings):
    """All settings. Read once, at the start of a process, by :func:`load`."""

    model_config = SettingsConfigDict(
        env_prefix="KAKEHASHI_", env_nested_delimiter="__", env_parse_none_str="null", extra="forbid"
    )

    language: Literal["ja", "en"] = "ja"
    engine: EngineSettings = Field(default_factory=EngineSettings)
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    minutes: MinutesSettings = Field(default_factory=MinutesSettings)
    proposals: ProposalsSettings = Field(default_factory=ProposalsSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, home().config)

    @property
    def home(self) -> Home:
        return home()

    def gateway_base_url(self, app: AppSettings) -> str:
        """The gateway's OpenAI base URL, as the given app should call it."""
        return app.gateway_url or f"http://{self.gateway.host}:{self.gateway.port}/v1"


def load() -> Settings:
    """Read the settings once. Raises ConfigError naming the key and the place."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"Setting '{where}': {first['msg']}.",
            hint=f"Correct it in {home().config.name} or in the environment (KAKEHASHI_…).",
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{home().config.name} is not valid YAML: {error}") from error
