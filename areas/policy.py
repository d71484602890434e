"""Areas are public knowledge inside the service; only administrators load them."""

from __future__ import annotations

from sqlalchemy import true

from core import policy

EVERYONE = {"admin", "staff", "inspector", "local_officer", "operator"}


def register() -> None:
    policy.register(
        "area",
        actions={"view": EVERYONE, "load": {"admin"}},
        visible=lambda actor: true(),
        reaches=lambda actor, thing: True,
    )
