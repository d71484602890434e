"""Brings a fresh checkout to where it can run: `packages.sh` first, then `python3 -m core.install`.

These two run with the machine's own Python, before any library is there: the standard library only.
`python -m core.install.check` looks at what was installed, with the libraries of the service alone.
"""
