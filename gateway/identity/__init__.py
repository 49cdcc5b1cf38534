"""Who calls: virtual keys and teams, how they are made, stored, scoped and verified."""
