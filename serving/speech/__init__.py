"""The speech worker: Whisper behind OpenAI's audio API, one recording at a time. Started by ``kakehashi serve speech``."""
