"""Where a request goes: aliases, the models upstream, the pool of engines with their health, and the way there."""
