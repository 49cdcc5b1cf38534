"""The two business applications; they know the gateway by its public HTTP API only."""
