"""How fast, how lean and how right the way from recording to transcript is: ``python -m bench.speech COMMAND``."""
