"""Japanese business text as data: widths, numbers with units, dates, eras, weekdays, readings. Pure functions."""
