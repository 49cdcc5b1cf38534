"""The gateway: one OpenAI-compatible address with identity, limits, guardrails, routing and audit."""
