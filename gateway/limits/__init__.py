"""Requests and tokens per minute: reserved on arrival, settled on real usage; in memory or shared through Redis."""
