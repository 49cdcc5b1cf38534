"""The surfaces. The life of a request: edge → client → chat → pipeline → plain or stream; params says what may pass."""
