"""One pure function per kind of data: a view of a text → hits. Composed here, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from gateway.guardrails.detectors import (
    address_en,
    address_ja,
    birthdate,
    contact,
    finance,
    identity,
    national,
    network,
    person,
    phone,
    secrets,
)
from gateway.guardrails.view import Hit, View

Detector = Callable[[View], Iterable[Hit]]

# What of a text a detector cannot do without (a property of View): others are not asked.
Need = Literal["", "has_digits", "has_long_number"]

# name in error messages → the type it finds, the detector, what it needs
PERSONAL_DATA: dict[str, tuple[str, Detector, Need]] = {
    "secret": ("SECRET", secrets.detect, ""),
    "url_token": ("URL_TOKEN", network.url_token, ""),
    "email": ("EMAIL", contact.email, ""),
    "my_number": ("MY_NUMBER", national.my_number, "has_long_number"),
    "corporate_number": ("CORPORATE_NUMBER", national.corporate_number, "has_long_number"),
    "credit_card": ("CREDIT_CARD", finance.credit_card, "has_long_number"),
    "bank_account": ("BANK_ACCOUNT", finance.bank_account, "has_long_number"),
    "phone": ("PHONE", phone.detect, "has_long_number"),
    "passport": ("PASSPORT", identity.passport, "has_long_number"),
    "driver_license": ("DRIVER_LICENSE", identity.driver_license, "has_long_number"),
    "health_insurance": ("HEALTH_INSURANCE", identity.health_insurance, "has_digits"),
    "pension_number": ("PENSION_NUMBER", identity.pension_number, "has_long_number"),
    "customer_id": ("CUSTOMER_ID", identity.customer_id, "has_digits"),
    "ip_address": ("IP_ADDRESS", network.ip_address, "has_digits"),
    "birthdate": ("BIRTHDATE", birthdate.detect, ""),
    "postal_code": ("POSTAL_CODE", contact.postal_code, "has_digits"),
    "address": ("ADDRESS", address_ja.detect, ""),
    "address_en": ("ADDRESS", address_en.detect, ""),
    "person": ("PERSON", person.detect, ""),
}


def resolve(hits: Iterable[Hit]) -> list[Hit]:
    """Overlapping hits become one: the surest wins, the longer of two equally sure. In order of position."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (-h.confidence, h.start - h.end, h.start)):
        if all(hit.end <= other.start or hit.start >= other.end for other in kept):
            kept.append(hit)
    return sorted(kept)


def personal_data(view: View) -> Iterator[Hit]:
    for _, detector, _ in PERSONAL_DATA.values():
        yield from detector(view)
