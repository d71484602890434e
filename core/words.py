"""The mark of texts to be translated: without Flask, so that rules and labels may use it."""

from __future__ import annotations


def N_(message: str) -> str:
    """Mark a text for translation without translating it yet."""
    return message
