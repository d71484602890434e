"""Benchmarks: `python -m tests.bench [names…]`, ratios measured in one run on one machine."""
