"""From a fresh clone to the first answer: how long, and what takes the time."""
