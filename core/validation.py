"""Messages of marshmallow in the reader's language, and the validators that schemas use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_babel import lazy_gettext
from marshmallow import Schema, fields, validate

from core.i18n import N_

MESSAGES: dict[type, dict[str, str]] = {
    fields.Field: {
        "required": N_("This is missing."),
        "null": N_("This may not be empty."),
        "validator_failed": N_("This value is not allowed."),
    },
    fields.String: {
        "invalid": N_("This is not a text."),
        "invalid_utf8": N_("This is not a text in UTF-8."),
    },
    fields.UUID: {"invalid_uuid": N_("This is not a UUID.")},
    fields.Integer: {"invalid": N_("This is not a whole number.")},
    fields.Number: {
        "invalid": N_("This is not a number."),
        "too_large": N_("This number is too large."),
    },
    fields.Float: {"special": N_("This is not a finite number.")},
    fields.Decimal: {"special": N_("This is not a finite number.")},
    fields.Boolean: {"invalid": N_("This is neither true nor false.")},
    fields.Date: {"invalid": N_("This is not a date (write 2026-12-31).")},
    fields.List: {"invalid": N_("This is not a list.")},
    fields.Nested: {"type": N_("This is not an object.")},
    fields.Mapping: {"invalid": N_("This is not an object.")},
    fields.Email: {"invalid": N_("This is not an e-mail address.")},
}


def install() -> None:
    """Put our texts, translated when they are shown, in the place of marshmallow's.

    A field takes its messages when it is declared: this runs before any schema is read.
    """
    for field, messages in MESSAGES.items():
        known = field.__dict__["default_error_messages"]
        for code, text in messages.items():
            known[code] = lazy_gettext(text)
    Schema.error_messages = {
        "type": lazy_gettext(N_("This is not an object.")),
        "unknown": lazy_gettext(N_("This field is not known here.")),
    }


def between(low: Any, high: Any) -> validate.Range:
    """A number from `low` to `high`, both included."""
    return validate.Range(
        min=low, max=high, error=lazy_gettext(N_("This must lie between {min} and {max}."))
    )


def length(low: int, high: int) -> validate.Length:
    """A text or list of `low` to `high` characters or entries."""
    return validate.Length(
        min=low, max=high, error=lazy_gettext(N_("This must have {min} to {max} characters."))
    )


def one_of(choices: Iterable[str]) -> validate.OneOf:
    return validate.OneOf(list(choices), error=lazy_gettext(N_("This must be one of: {choices}.")))
