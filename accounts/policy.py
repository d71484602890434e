"""Who may see and change accounts and organisations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import true

from core import policy
from core.policy import Actor


def _anywhere(actor: Actor, thing: Any) -> bool:
    return True


def register() -> None:
    policy.register(
        "user",
        actions={"view": {"admin"}, "edit": {"admin"}},
        visible=lambda actor: true(),
        reaches=_anywhere,
    )
    policy.register(
        "organisation",
        actions={"view": {"admin", "staff", "inspector"}, "edit": {"admin", "staff"}},
        visible=lambda actor: true(),
        reaches=_anywhere,
    )
    policy.register(
        "setting",
        actions={"view": {"admin", "staff"}, "edit": {"admin"}},
        visible=lambda actor: true(),
        reaches=_anywhere,
    )
