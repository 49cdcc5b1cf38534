"""Tests: unit, integration, engine, speech, browser; builders in helpers, fixtures in data."""
