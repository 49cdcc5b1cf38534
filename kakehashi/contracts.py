"""Answers of the command line that others build on, beside the data models of the two apps."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Contract(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Component(Contract):
    name: Literal["engine", "gateway", "speech", "minutes", "proposals"]
    url: str | None
    pid: int | None
    state: Literal["running", "starting", "stopped", "unhealthy", "external"]
    version: str | None


class Status(Contract):
    """``kakehashi status --json``."""

    components: list[Component]


class KeyCreated(Contract):
    """``kakehashi key create … --json``: the only time the key is shown."""

    id: str
    key: str = Field(pattern=r"^kk_")


FindingType = Literal[
    "PERSON", "ADDRESS", "POSTAL_CODE", "PHONE", "EMAIL", "BIRTHDATE", "MY_NUMBER", "CORPORATE_NUMBER", "BANK_ACCOUNT",
    "CREDIT_CARD", "PASSPORT", "DRIVER_LICENSE", "HEALTH_INSURANCE", "PENSION_NUMBER", "CUSTOMER_ID", "IP_ADDRESS",
    "URL_TOKEN", "SECRET", "INJECTION", "REGULATED_WORDING",
]  # fmt: skip


class ScanFinding(Contract):
    """``start`` and ``end`` are offsets in code points of the given text, half open."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    type: FindingType
    rule: str
    confidence: float = Field(ge=0, le=1)
    law: str = Field("", description="what a wording rule rests on")
    suggestion: str = Field("", description="how to say it instead")


class ScanAnswer(Contract):
    """One line of ``kakehashi guard scan``; ``text`` is the text after masking."""

    action: Literal["allow", "flag", "mask", "block"]
    text: str
    findings: list[ScanFinding]
