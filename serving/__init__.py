"""The engine and the machine: models, conversion, start, supervision."""
