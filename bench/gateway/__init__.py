"""What the gateway adds to a request: against calling a stand-in engine directly, and (if asked) against LiteLLM."""
