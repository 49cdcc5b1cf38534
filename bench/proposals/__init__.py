"""Proposals: figures traced, invented content, completeness and seconds per deck; held-out briefs apart."""
