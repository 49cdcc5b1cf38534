"""Signed checkpoints on other systems: whoever can change the database and this machine cannot change those."""

from gateway.audit.anchors.base import Anchor, AnchorError, Checkpoint
from gateway.audit.anchors.open import open_anchor

__all__ = ["Anchor", "AnchorError", "Checkpoint", "open_anchor"]
