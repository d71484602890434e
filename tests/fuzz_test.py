"""Every operation of the API against its own document, with good and with bad data."""

from __future__ import annotations

import contextvars
import os
import traceback
from collections import Counter
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Role
from tests import doors, makers
from tests.conftest import Note

pytestmark = pytest.mark.slow

# What a request that fits the document may still meet: no such thing, a version that is
# missing or old, a state that does not allow it, a cursor that no list gave, another rule than
# the document can say.
EXPECTED = ["2xx", "400", "401", "403", "404", "409", "412", "413", "415", "422", "428", "503"]
# `make fuzz` asks for many more.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
CONFIG = {
    "checks": {
        "positive_data_acceptance": {"expected-statuses": EXPECTED},
        "negative_data_rejection": {
            "expected-statuses": ["400", "401", "403", "404", "405", "406", "409", "412", "413",
                                  "415", "422", "428", "501"],
        },
        "missing_required_header": {"expected-statuses": ["400", "401", "403", "406", "415",
                                                          "422", "428"]},
    },
}  # fmt: skip


class EachAlone:
    """The application as a server runs it: every request in a context of its own."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        return contextvars.Context().run(lambda: list(self.app.wsgi_app(environ, start_response)))


@pytest.fixture
def api_schema(app: Flask, session: Session, world: doors.World):
    """The served document, with a person who has every role but only one territory's things."""
    person = makers.user(session, "staff")
    person.roles = list(
        session.scalars(select(Role).where(Role.name.in_(("admin", "staff", "inspector"))))
    )
    token = makers.token(session, person)
    session.commit()
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_wsgi(
        "/api/openapi.json",
        EachAlone(app),
        config=SchemathesisConfig.from_dict(CONFIG),
        headers=headers,
    )
    schema.config.update(headers=headers)
    return schema


def operations(schema: schemathesis.BaseSchema) -> list[schemathesis.APIOperation]:
    return [result.ok() for result in schema.get_all_operations()]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_keeps_to_its_document(
    api_schema: schemathesis.BaseSchema, session: Session, mode: GenerationMode, figure: Note
) -> None:
    findings: list[str] = []
    asked: set[str] = set()
    examples: Counter[str] = Counter()
    before = doors.counts(session)
    for operation in operations(api_schema):
        if mode is GenerationMode.NEGATIVE and not can_be_wrong(operation):
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            examples[case.operation.label] += 1
            case.call_and_validate()

        try:
            ask()
        except Unsatisfiable:
            # A path of free text has no wrong value that is still an address.
            continue
        except (Exception, BaseExceptionGroup) as error:
            findings.append("".join(traceback.format_exception_only(error)))
        asked.add(operation.label)
    figure("P7", f"operations with {mode.value} examples", len(asked))
    figure("P7", "examples", examples.total())
    figure("P7", "findings", len(findings), wrong=True)
    assert findings == [], "\n\n".join(findings)
    if mode is GenerationMode.NEGATIVE:
        # All of it was refused, or it would be a finding.
        after = doors.counts(session)
        written = [table for table, number in after.items() if before[table] != number]
        figure("P7", "tables to which bad data was written", len(written), wrong=True)
        assert written == []
    assert len(asked) >= 20


def can_be_wrong(operation: schemathesis.APIOperation) -> bool:
    """Whether an operation takes anything of which there is a wrong value."""
    return bool(operation.query or operation.body or operation.path_parameters or operation.headers)


def test_the_document_is_valid_openapi(app: Flask, session: Session) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    document = doors.answered(client.get("/api/openapi.json"), 200)
    loaded = schemathesis.openapi.from_dict(document)
    loaded.validate()
    assert document["openapi"].startswith("3.")
