"""Builders that tests, benchmarks and screenshots share."""
