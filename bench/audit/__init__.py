"""How fast the audit log is written and verified, beside the bare hash of the same bytes."""
