"""From recording to minutes: how long it takes, as a share of the recording's length, and what dominates."""
