"""Guardrail policies: YAML files, checked on loading, named ``name@version``; profiles bound to keys and apps."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.guardrails.types import Action, Guardrails, Source
from kakehashi.errors import ConfigError

DEFAULT = Path(__file__).parent / "policies" / "default.yaml"

TypeName = Literal[
    "PERSON", "ADDRESS", "POSTAL_CODE", "PHONE", "EMAIL", "BIRTHDATE", "MY_NUMBER", "CORPORATE_NUMBER", "BANK_ACCOUNT",
    "CREDIT_CARD", "PASSPORT", "DRIVER_LICENSE", "HEALTH_INSURANCE", "PENSION_NUMBER", "CUSTOMER_ID", "IP_ADDRESS",
    "URL_TOKEN", "SECRET", "INJECTION", "REGULATED_WORDING",
]  # fmt: skip
TYPES: tuple[str, ...] = get_args(TypeName)
ALWAYS_ONE_WAY = frozenset({"MY_NUMBER", "SECRET"})
StageName = Literal["input", "output"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TypePolicy(_Model):
    """What happens to findings of one type. Numbers are confidences from 0 to 1, for all origins or one by one."""

    action: Action = "flag"
    threshold: float | dict[Source, float] = Field(0.5, description="findings below it are dropped")
    block_from: float | dict[Source, float] | None = Field(None, description="from here on the action is block")
    one_way: bool = Field(False, description="mask without ever restoring (always so for MY_NUMBER and SECRET)")
    shadow: bool = Field(False, description="measure only: no effect on the text or the verdict")
    on_error: Literal["block", "flag"] = Field("block", description="when the detector itself fails")

    @model_validator(mode="after")
    def _fails_closed(self) -> TypePolicy:
        if self.action in ("mask", "block") and self.on_error == "flag":
            raise ValueError("a type that is masked or blocked must have on_error: block")
        return self

    def threshold_for(self, source: Source) -> float:
        return _by_source(self.threshold, source, 0.5)

    def blocks(self, confidence: float, source: Source) -> bool:
        return self.block_from is not None and confidence >= _by_source(self.block_from, source, 2.0)


def _by_source(value: float | dict[Source, float] | None, source: Source, missing: float) -> float:
    if isinstance(value, dict):
        return value.get(source, missing)
    return missing if value is None else value


class RulePolicy(_Model):
    """An exception for one rule, or for all rules whose id begins so (``person.bare``, ``wording.``)."""

    action: Action | None = None
    threshold: float | None = None
    shadow: bool | None = None
    off: bool = False


class Profile(_Model):
    """Input and output stages by type. A type that is not listed is not looked for."""

    description: str = ""
    extends: str | None = None
    input: dict[TypeName, TypePolicy] = {}
    output: dict[TypeName, TypePolicy] = {}
    rules: dict[str, RulePolicy] = {}
    disclosures: bool = Field(False, description="whole texts that offer a product must speak of risk and fees")
    stream: Literal["holdback", "full"] = "holdback"

    def stage(self, name: StageName) -> dict[TypeName, TypePolicy]:
        return self.input if name == "input" else self.output

    def everything(self) -> dict[TypeName, TypePolicy]:
        """Both stages as one, the input's word first: what ``guard scan`` looks for."""
        return {**self.output, **self.input}


class Message(_Model):
    ja: str
    en: str


class Case(_Model):
    """A test of the policy in its own file: the action, and the types that must be found (exactly these, if given)."""

    text: str
    profile: str = "default"
    source: Source = "user"
    action: Action
    types: list[TypeName] | None = None


class Policy(_Model):
    """A policy file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: str
    description: str = ""
    default_profile: str = "default"
    customer_labels: tuple[str, ...] = Field((), description="further words that announce a customer number")
    messages: dict[TypeName | Literal["default", "error"], Message]
    profiles: dict[str, Profile]
    cases: list[Case] = []

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    @model_validator(mode="after")
    def _complete(self) -> Policy:
        if self.default_profile not in self.profiles:
            raise ValueError(f"default_profile '{self.default_profile}' is not among the profiles")
        for needed in ("default", "error"):
            if needed not in self.messages:
                raise ValueError(f"messages need an entry '{needed}'")
        for name, profile in self.profiles.items():
            if profile.extends is not None and profile.extends not in self.profiles:
                raise ValueError(f"profile '{name}' extends '{profile.extends}', which does not exist")
        for case in self.cases:
            if case.profile not in self.profiles:
                raise ValueError(f"a case names the profile '{case.profile}', which does not exist")
        return self

    def message(self, type_: str, language: str) -> str:
        found = self.messages.get(type_) or self.messages["default"]  # type: ignore[call-overload]
        return str(found.ja if language == "ja" else found.en)

    def profile(self, name: str | None) -> Profile:
        """A profile with what it extends. Raises ConfigError for an unknown name or a circle."""
        return _resolved(self, name or self.default_profile, ())


def _resolved(policy: Policy, name: str, seen: tuple[str, ...]) -> Profile:
    if name not in policy.profiles:
        known = ", ".join(sorted(policy.profiles))
        raise ConfigError(f"Policy {policy.ref} has no profile '{name}'.", hint=f"It has: {known}.")
    if name in seen:
        raise ConfigError(f"Policy {policy.ref}: the profiles {' → '.join((*seen, name))} extend each other.")
    own = policy.profiles[name]
    if own.extends is None:
        return own
    base = _resolved(policy, own.extends, (*seen, name))
    return own.model_copy(
        update={
            "extends": None,
            "input": {**base.input, **own.input},
            "output": {**base.output, **own.output},
            "rules": {**base.rules, **own.rules},
        }
    )


def read_policy(path: Path | None = None) -> Policy:
    """Read and check a policy file. Raises ConfigError that names the file, the place and what is wrong."""
    path = path or DEFAULT
    try:
        raw: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except OSError as error:
        raise ConfigError(f"Cannot read the policy {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The policy {path} is not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"The policy {path} must be a mapping with name, version, messages and profiles.")
    try:
        return Policy(**raw)
    except (ValidationError, TypeError) as error:
        raise ConfigError(f"The policy {path} is not valid:\n{error}") from error


def load_policy(path: Path | None = None) -> Guardrails:
    """The guardrails of a policy file; the bundled one without a path."""
    from gateway.guardrails.engine import Engine  # the detectors load when a policy is used, not when it is checked

    return Engine(read_policy(path))


@lru_cache(maxsize=1)
def default_guardrails() -> Guardrails:
    return load_policy()
