"""A mailbox behind a real server, and whom the department tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from core import mail, store
from core.policy import SYSTEM
from core.settings import Settings
from tests.inspections.reminding import Mailbox
from tests.inspections.visits import NOW
from tests.mailing import mail_server


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, mail.Server]]:
    box = Mailbox()
    with mail_server(box) as address:
        server = mail.server_of(replace(Settings(), smtp_url=address, mail_from="so@example.vn"))
        assert server is not None
        yield box, server


@pytest.fixture
def addresses(session: Session) -> None:
    for key, value in (
        ("reminder_address", "phong@example.vn"),
        ("escalation_address", "lanhdao@example.vn"),
        ("escalation_name", "Phó Giám đốc Sở"),
        ("due_soon_days", 7),
    ):
        store.set_value(session, key, value, by=SYSTEM, now=NOW)
