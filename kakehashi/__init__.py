"""What every part of Kakehashi shares: settings, paths, errors, prompts, language, and the command line."""

__version__ = "0.1.0"
