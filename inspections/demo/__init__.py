"""The demo province: a plausible, clearly fictional register with two years of work."""

from __future__ import annotations

from inspections.demo.commands import commands

__all__ = ["commands"]
