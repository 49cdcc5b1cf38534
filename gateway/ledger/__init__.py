"""The ledger: a row for every attempt, written before it goes upstream; use and cost are its sums, nothing else's."""
