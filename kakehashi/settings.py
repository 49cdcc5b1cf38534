"""The one settings class: defaults, then ``$KAKEHASHI_HOME/config.yaml``, then environment variables.

An environment variable is ``KAKEHASHI_`` + section + ``__`` + key, for example ``KAKEHASHI_ENGINE__MODEL``.
Unknown keys are errors. Each part reads its own section only.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from kakehashi.errors import ConfigError
from kakehashi.paths import Home, home

CHECK = "kakehashi config check"


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name[:40]}' is no time zone; write one such as Asia/Tokyo or UTC") from None
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]


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


class UpstreamSettings(Section):
    """One model server of the gateway's pool."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="shown in headers, metrics and records")
    url: str = Field(description="base URL (…/v1), http or https, without user or query")
    api_key_file: Path | None = Field(None, description="file with its API key")
    weight: float = Field(1.0, gt=0, allow_inf_nan=False, description="its share of the work")
    max_in_flight: int | None = Field(None, ge=1, description="the most requests at once; null: no limit")
    priority_scheduling: bool = Field(False, description="it is a vLLM started with --scheduling-policy priority")
    adapters_dir: Path | None = Field(None, description="where it sees the gateway's adapters; null: the same folder")


class TargetSettings(Section):
    """A model behind an alias."""

    model: str
    weight: float = Field(1.0, ge=0, allow_inf_nan=False, description="its share of the people who ask")
    upstreams: list[str] | None = Field(None, description="only these upstreams; null: all that serve it")


class ShadowSettings(Section):
    """A copy of some requests to another model, after the answer; nobody sees what it says."""

    model: str
    share: float = Field(ge=0, le=1, description="of the requests, 0 to 1")


class RouteSettings(Section):
    """An alias over several targets. The first target is the stable one, further ones are canaries."""

    targets: list[TargetSettings] = Field(min_length=1)
    sticky: Literal["user", "key", "conversation", "none"] = Field("user", description="who stays on one side")
    fallbacks: list[str] = Field([], description="aliases or models to ask when no target can answer")
    fallback_scope: Literal["key", "alias"] = Field(
        "key", description="key: only fallbacks the key may use itself; alias: all of them"
    )
    shadow: ShadowSettings | None = None
    retry_on: list[Literal["unreachable", "overloaded", "error", "disconnected", "timeout"]] = Field(
        ["unreachable", "overloaded"],
        description="failures before the first byte after which another attempt may follow; the last three may have "
        "cost work already",
    )
    first_byte_timeout_s: float | None = Field(None, gt=0)
    idle_timeout_s: float | None = Field(None, gt=0)
    total_timeout_s: float | None = Field(None, gt=0)


class LimitSettings(Section):
    """Limits; null: none. Yen in whole yen."""

    rpm: int | None = Field(None, ge=1, description="requests per minute")
    tpm: int | None = Field(None, ge=1, description="tokens per minute")
    concurrency: int | None = Field(None, ge=1, description="requests at the same time")
    tokens_per_day: int | None = Field(None, ge=1)
    tokens_per_month: int | None = Field(None, ge=1)
    yen_per_day: int | None = Field(None, ge=1)
    yen_per_month: int | None = Field(None, ge=1)


class PriceSettings(Section):
    """Prices of a model, in yen."""

    prompt: Decimal | None = Field(None, ge=0, decimal_places=3, description="yen per million prompt tokens")
    completion: Decimal | None = Field(None, ge=0, decimal_places=3, description="yen per million completion tokens")
    audio: Decimal | None = Field(None, ge=0, decimal_places=3, description="yen per minute of audio")


class OidcSettings(Section):
    """People's tokens from an identity provider (OpenID Connect), accepted in place of a virtual key."""

    issuer: str = Field(description="the provider's issuer, exactly as its tokens and discovery document write it")
    audience: list[str] = Field(description="audiences accepted: this gateway's, and the apps' client id")
    algorithms: list[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]] = Field(
        ["RS256", "PS256", "ES256", "EdDSA"], description="signature algorithms accepted"
    )
    name_claim: str = Field("preferred_username", description="claim with the name for records; else email, else sub")
    groups_claim: str = Field("groups", description="claim with the groups; a.b for a claim inside a claim")
    teams: dict[str, str] = Field({}, description="group → team; the first of these that a person is in counts")
    default_team: str | None = Field(None, description="team of people in none of them; null: they are refused")
    roles: dict[str, Literal["user", "reviewer", "auditor", "admin"]] = Field({}, description="group → role")
    leeway_s: float = Field(30.0, ge=0, le=300, description="how far clocks may differ")
    cache_s: float = Field(300.0, description="the provider's keys are read again after this time")
    refetch_s: float = Field(10.0, description="and for a key not known, but at most once in this time")
    stale_s: float = Field(3600.0, description="how long known keys are used when the provider cannot be reached")


class GatewaySettings(Section):
    """The gateway: one OpenAI-compatible address for everybody."""

    host: str = "127.0.0.1"
    port: int = 8080
    admin_port: int | None = Field(8081, description="admin API, on its own port; null switches it off")
    upstream: str | None = Field(None, description="base URL of the engine (…/v1); default: the engine of this machine")
    upstream_api_key_file: Path | None = Field(None, description="file with the upstream's API key")
    models: dict[str, str] = Field({}, description="alias → model name upstream; 'default' is the first model if unset")
    upstreams: list[UpstreamSettings] = Field([], description="several model servers, in place of upstream")
    routes: dict[str, RouteSettings] = Field({}, description="alias → targets with weights, fallbacks, shadow")
    drain_notice_s: float = Field(
        1.0, gt=0, description="after SIGTERM, how long new requests are still taken while /readyz says 503"
    )
    drain_s: float = Field(30.0, gt=0, description="and how long requests under way may then go on")
    attempts: int = Field(3, ge=1, le=10, description="the most for one request, retries and fallbacks together")
    retry_share: float = Field(0.1, ge=0, le=1, description="further attempts per request that succeeds")
    breaker_failures: int = Field(10, ge=1, description="failures in a row after which an upstream rests")
    breaker_open_s: float = Field(5.0, gt=0, description="its first rest; twice as long after each failed trial")
    breaker_longest_s: float = Field(60.0, gt=0, description="its longest rest")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default SQLite in KAKEHASHI_HOME")
    redis_url: str | None = Field(None, description="shared limits for several gateways; default in-process")
    max_in_flight: int | None = Field(
        None,
        ge=1,
        description="the most requests at once at the one upstream, further ones wait in fair turns; null: no limit",
    )
    queue_length: int = Field(100, ge=1, description="requests of one team that may wait for a full engine")
    queue_wait_s: float = Field(30.0, gt=0, description="the longest wait for a full engine")
    priority_scheduling: bool | None = Field(
        None, description="the one upstream is a vLLM started with --scheduling-policy priority; null: if it is our own"
    )
    timezone: TimeZone = Field("Asia/Tokyo", description="in which days and months of budgets and usage begin")
    limits: dict[str, LimitSettings] = Field(
        {}, description="limits beside those of keys and teams: global, model:NAME, key+model:NAME, team+model:NAME"
    )
    prices: dict[str, PriceSettings] = Field(
        {},
        description="model or alias → yen: prompt and completion per million tokens, audio per minute; '*': any other",
    )
    policy: Path | None = Field(
        None, description="guardrail policy file; default gateway/guardrails/policies/default.yaml"
    )
    oidc: OidcSettings | None = Field(None, description="identity provider whose tokens are accepted; default none")
    session_hours: float = Field(12.0, gt=0, le=24 * 31, description="how long people stay signed in to the apps")
    max_body_bytes: int = 4 * 1024 * 1024
    speech: str | None = Field(
        None, description="base URL (…/v1) of an OpenAI-style speech engine; default: the speech worker of this machine"
    )
    speech_api_key_file: Path | None = Field(None, description="file with the speech engine's API key")
    speech_models: dict[str, str] = Field({}, description="alias → speech model; 'default' is the first one")
    speech_timeout_s: float = Field(3600.0, description="longest wait for a transcript to begin")
    max_audio_bytes: int = Field(100 * 1024 * 1024, description="largest recording")
    max_file_bytes: int = Field(100 * 1024 * 1024, description="largest upload to /v1/files")
    file_retention_days: int = Field(30, ge=1, description="how long uploads and batch results are kept at most")
    batch_parallel: int = Field(4, ge=1, description="lines of batches that one gateway runs at once")
    batch_lease_s: float = Field(30.0, ge=1, description="after so long the work of a killed gateway is taken over")
    connect_timeout_s: float = 5.0
    first_byte_timeout_s: float = Field(300.0, description="longest wait for the first byte of an answer")
    idle_timeout_s: float = Field(120.0, description="longest silence inside an answer")
    total_timeout_s: float | None = Field(None, gt=0, description="longest time for a whole answer; null: no limit")
    audit_bodies: bool = Field(True, description="keep encrypted prompts and answers")
    audit_fail_closed: bool = Field(True, description="refuse requests when the audit record cannot be stored")
    log_format: Literal["text", "json"] = Field("text", description="log lines for people, or JSON for a collector")
    otlp_endpoint: str | None = Field(
        None, description="OpenTelemetry collector for traces (http://collector:4318); default: no traces"
    )
    otlp_headers_file: Path | None = Field(
        None, description="file with 'name: value' lines sent to the collector (its key)"
    )
    trace_sample_ratio: float = Field(
        1.0, ge=0, le=1, description="share of the traces that begin here; a caller's own decision counts more"
    )
    trace_content: bool = Field(False, description="put prompts and answers, masked, into traces")
    audit_retention_days: int | None = Field(
        None, ge=1, description="days after which prompts and answers are erased for good; default: never"
    )
    audit_metadata_retention_days: int | None = Field(
        None, ge=1, description="days after which whole audit records are removed, under a signed seal; default: never"
    )
    audit_anchors: list[str] = Field(
        [],
        description="where signed checkpoints of the audit log go: absolute paths, s3://bucket/prefix?…, "
        "syslog+tcp://host:514 (udp, tls, unix)",
    )
    audit_anchor_interval_s: float = Field(60.0, gt=0, description="a checkpoint at least this often, if there is news")
    audit_anchor_entries: int = Field(1000, ge=1, description="a checkpoint at the latest after so many records")
    audit_anchor_required: bool = Field(
        False, description="refuse requests while no anchor has taken a checkpoint for three intervals"
    )


class SpeechSettings(Section):
    """The speech worker (Whisper) behind the gateway's audio surfaces."""

    enabled: bool = Field(True, description="start it with `kakehashi up`; it loads its model when it is first asked")
    host: str = "127.0.0.1"
    port: int = 8082
    model: str = Field(
        "embedded:whisper-base", description="embedded:NAME or a folder with a CTranslate2 Whisper model"
    )
    threads: int = Field(0, description="0: all cores")
    max_minutes: float = Field(60.0, gt=0, description="longest recording")
    waiting: int = Field(8, ge=0, description="requests that may wait for their turn; more are told to come back later")


class CompanySignInSettings(Section):
    """Company accounts for the apps (OpenID Connect); the gateway accepts the tokens by its own ``gateway.oidc``."""

    issuer: str = Field(description="the provider's issuer, as in gateway.oidc")
    client_id: str = Field(description="the apps' id at the provider; it stands in gateway.oidc.audience too")
    client_secret_file: Path = Field(description="file with the apps' secret at the provider")
    scope: str = Field("openid profile email", description="what is asked of the provider")


class AppSettings(Section):
    host: str = "127.0.0.1"
    gateway_url: str | None = Field(None, description="base URL (…/v1); default: the gateway of this machine")
    key_file: Path | None = Field(None, description="file with the virtual key; default in KAKEHASHI_HOME/secrets")
    model: str = Field("default", description="model name or alias at the gateway")
    request_timeout_s: float = 600.0
    parallel: int = Field(8, description="requests sent to the gateway together")
    user_header: str | None = Field(None, description="header in which a trusted sign-in proxy names the user")
    sign_in: Literal["auto", "none", "local", "oidc", "proxy"] = Field(
        "auto",
        description="who may use the app. none: everybody, told apart by browser; local: accounts of the gateway; oidc: "
        "company accounts (section company); proxy: user_header. auto: proxy or oidc where that is configured, local as "
        "soon as there is an account or where host is not this machine alone, else none",
    )
    public_url: str | None = Field(None, description="address in the browser, where it is not http://host:port")
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
    speech: SpeechSettings = Field(default_factory=SpeechSettings)
    minutes: MinutesSettings = Field(default_factory=MinutesSettings)
    company: CompanySignInSettings | None = Field(None, description="company accounts for the apps; default none")
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
    """Read the settings once. Raises ConfigError naming the key and the place, also for what cannot work together."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"Setting '{where}': {first['msg']}.",
            hint=f"Correct it in {home().config.name} or in the environment (KAKEHASHI_…). All errors: {CHECK}",
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{home().config.name} is not valid YAML: {error}") from error
    except SettingsError as error:
        raise ConfigError(f"An environment variable cannot be read: {error}.", hint=f"Which one: {CHECK}") from error
    refuse_impossible(settings)
    return settings


def refuse_impossible(settings: Settings) -> None:
    """Raises ConfigError for settings that cannot work together."""
    from kakehashi.config.rules import combinations  # the rules read these classes

    for finding in combinations(settings):
        if finding.severity == "error":
            raise ConfigError(f"Setting '{finding.key}': {finding.message}", hint=finding.fix)
