"""What the salesperson typed (YAML, Markdown or plain text), read without a model into a :class:`Brief`."""

from apps.proposals.brief.items import Item
from apps.proposals.brief.load import BriefReading, parse_brief, read_brief

__all__ = ["BriefReading", "Item", "parse_brief", "read_brief"]
