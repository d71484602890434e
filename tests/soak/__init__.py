"""`python -m tests.soak`: the real service through kills, cuts and faults, with its figures.

`SOAK_SCALE=1` is the whole of it (tens of minutes on two cores), 0.02 a minute of it.
"""
