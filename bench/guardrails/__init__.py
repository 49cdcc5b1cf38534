"""How well and how fast the guardrails find things: recall and precision per type, on each set apart.

python -m bench.guardrails [--misses] [--set dev|heldout|blind]
"""
