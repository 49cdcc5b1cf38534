"""Mandatory notices and standard risks by product class and customer class, from a versioned registry."""

from apps.proposals.disclosures.select import Disclosure, disclosures_for

__all__ = ["Disclosure", "disclosures_for"]
