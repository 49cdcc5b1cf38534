"""Trains the tagger of ``tuning.acts`` from labelled meetings.

    python -m tuning.acts check      are the files well formed, and what do they hold
    python -m tuning.acts judge      cross-validation over meetings
    python -m tuning.acts train      write the weights
"""
