"""``python -m kakehashi`` is the same as the ``kakehashi`` command."""

from kakehashi.cli import main

main()
