"""One family of errors: each carries the facts a client needs; one table turns it into HTTP.

The message is an English text to be translated, with its facts as `%(name)s`. `fields` names
for each field of a form or body the texts of what is wrong with it; a text with facts of its
own is a pair `(text, facts)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.i18n import translate
from core.words import N_

FieldText = str | tuple[str, Mapping[str, Any]]


class DomainError(Exception):
    """Something the user can understand and mend."""

    status = 400
    code = "bad_request"
    title = N_("The request is not valid")

    def __init__(
        self,
        message: str = "",
        *,
        fields: Mapping[str, Sequence[FieldText]] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message or self.title)
        self.message = message or self.title
        self.fields = dict(fields or {})
        self.facts = facts

    def text(self) -> str:
        """The message in the reader's language."""
        return translate(self.message, **self.facts)


class BadRequest(DomainError):
    pass


class Unauthenticated(DomainError):
    status, code, title = 401, "unauthenticated", N_("Sign in first")


class Forbidden(DomainError):
    status, code, title = 403, "forbidden", N_("Your role may not do this")


class NotFound(DomainError):
    status, code, title = 404, "not_found", N_("There is nothing here, or it is not yours to see")


class MethodNotAllowed(DomainError):
    status, code, title = 405, "method_not_allowed", N_("This address does not take this method")


class Conflict(DomainError):
    status, code, title = 409, "conflict", N_("This does not fit the current state")


class Moved(DomainError):
    """What stood here is found elsewhere; `to` names it as the address did."""

    status, code, title = 410, "moved", N_("This was merged into another record or renamed")

    def __init__(self, **to: str) -> None:
        super().__init__(to=to)
        self.to = to


class PreconditionFailed(DomainError):
    status, code, title = 412, "changed_meanwhile", N_("Somebody changed this in the meantime")


class TooLarge(DomainError):
    status, code, title = 413, "too_large", N_("This is too large")


class UnsupportedMedia(DomainError):
    status, code, title = 415, "unsupported_media", N_("This type of content is not taken here")


class Invalid(DomainError):
    status, code, title = 422, "invalid", N_("Some fields are not right")


class PreconditionRequired(DomainError):
    status, code, title = 428, "version_required", N_("Say which version you are changing")


class TooMany(DomainError):
    status, code, title = 429, "too_many", N_("Too many attempts: wait a moment and try again")


class Broken(DomainError):
    status, code, title = 500, "broken", N_("Something went wrong on our side")


class Unavailable(DomainError):
    status, code, title = 503, "unavailable", N_("The service is busy: try again in a moment")


class StorageFull(Unavailable):
    """A disk of the service has no room; nothing was written, and there may be room later."""

    code, title = "storage_full", N_("The service has no room left: nothing was kept")


BY_STATUS: dict[int, type[DomainError]] = {
    kind.status: kind
    for kind in (
        BadRequest,
        Unauthenticated,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        Moved,
        PreconditionFailed,
        TooLarge,
        UnsupportedMedia,
        Invalid,
        PreconditionRequired,
        TooMany,
        Broken,
        Unavailable,
    )
}
