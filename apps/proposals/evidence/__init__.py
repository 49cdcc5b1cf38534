"""From brief and attachments to the evidence ledger: cited snippets, typed numbers, contradictions, hidden text."""
