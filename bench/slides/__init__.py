"""Rendering decks: seconds, line counts against LibreOffice, seeded defects found by the checks."""
