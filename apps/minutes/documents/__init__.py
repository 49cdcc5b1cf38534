"""Minutes as documents: one layout, written as Word and as Markdown."""

from apps.minutes.documents.markdown import to_markdown
from apps.minutes.documents.word import write_word

__all__ = ["to_markdown", "write_word"]
