"""The storyline: which slides, in which order, with one message each, made from the closed material of the deck."""
