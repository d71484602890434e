"""How notices, their links and what owners answered are written in the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from inspections.notice_models import Notice, NoticeLink, NoticeReply
from inspections.rules.notice import NoticeState, possible


def notice_head(notice: Notice) -> dict[str, Any]:
    """A notice as it stands in lists."""
    return {
        "id": str(notice.id),
        "owner": {"id": str(notice.owner_id), "name": notice.owner.name},
        "state": notice.state,
        "reference": notice.reference,
        "year": notice.year,
        "number": notice.number,
        "violations": [str(item.violation_id) for item in notice.items],
        "drafted_at": notice.drafted_at.isoformat(),
        "issued_on": notice.issued_on.isoformat() if notice.issued_on else None,
        "served_on": notice.served_on.isoformat() if notice.served_on else None,
        "version": notice.version,
    }


def notice_body(notice: Notice, now: datetime) -> dict[str, Any]:
    """A notice whole, with its documents, links and answers; never a token."""
    steps = possible(NoticeState(notice.state), served=notice.served_on is not None)
    return {
        **notice_head(notice),
        "note": notice.note,
        "served_to": notice.served_to,
        "served_how": notice.served_how,
        "withdrawn_at": notice.withdrawn_at.isoformat() if notice.withdrawn_at else None,
        "withdrawn_reason": notice.withdrawn_reason,
        "documents": [
            {"form": one.form, "sha256": one.sha256.hex(), "byte_size": one.byte_size}
            for one in notice.documents
        ],
        "links": [link_body(one, now) for one in notice.links],
        "replies": [reply_body(one) for one in notice.replies],
        "possible_steps": sorted(steps),
    }


def link_body(link: NoticeLink, now: datetime) -> dict[str, Any]:
    return {
        "id": str(link.id),
        "made_at": link.made_at.isoformat(),
        "expires_at": link.expires_at.isoformat(),
        "revoked_at": link.revoked_at.isoformat() if link.revoked_at else None,
        "live": link.revoked_at is None and link.expires_at > now,
    }


def reply_body(reply: NoticeReply) -> dict[str, Any]:
    return {
        "id": str(reply.id),
        "violation": str(reply.violation_id),
        "kind": reply.kind,
        "name": reply.name,
        "text": reply.text,
        "wanted_on": reply.wanted_on.isoformat() if reply.wanted_on else None,
        "received_at": reply.received_at.isoformat(),
        "files": [
            {
                "id": str(one.id),
                "filename": one.filename,
                "media_type": one.media_type,
                "byte_size": one.byte_size,
                "sha256": one.sha256.hex(),
            }
            for one in reply.files
        ],
    }
