"""Slides from the closed material: text and data by code, wording by the model where it passes the checks."""
