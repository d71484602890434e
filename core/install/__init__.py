"""Brings a fresh checkout to where it can run: `packages.sh` first, then `python3 -m core.install`.

It runs with the machine's own Python, before any library is there: the standard library only.
"""
