"""Proposals: brief → evidence → storyline → slides → checks → deck."""
