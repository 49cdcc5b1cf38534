"""Gates of a deck: look (what a viewer sees) and file (what PowerPoint opens). Content has its own checks."""

from __future__ import annotations

from apps.proposals.checks.file import check_file, file_errors
from apps.proposals.checks.look import check_look

__all__ = ["check_file", "check_look", "file_errors"]
