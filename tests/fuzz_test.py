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
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Role
from core.db import database
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


# Days on which computing with days ends, which chance hardly meets.
DAYS = st.sampled_from(["0001-01-01", "9999-12-31", "2024-02-29"]) | st.dates().map(str)
schemathesis.openapi.format("date", DAYS)


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


# How what a path names is called in the answers that list or make it.
NAMED = {"code": "code", "number": "version", "draft": "version", "published": "version"}


def with_links(document: dict[str, Any]) -> int:
    """Say in a document which operation gives what another one needs; returns how many links.

    Whatever has `/{something}` behind the address of a list, or of what makes one, follows these.
    """
    made = 0
    for path, operations in document["paths"].items():
        before, brace, rest = path.rpartition("/{")
        name, _, behind = rest.partition("}")
        while brace and before not in document["paths"]:
            before, brace, rest = before.rpartition("/{")
            name, _, behind = rest.partition("}")
        key = "id" if name.endswith("_id") else NAMED.get(name)
        if not brace or key is None or "{" in behind:
            continue
        for method in {"get", "post", "put", "patch", "delete"} & operations.keys():
            reference = f"#/paths/{path.replace('~', '~0').replace('/', '~1')}/{method}"
            for source, status, place in (("get", "200", f"items/0/{key}"), ("post", "201", key)):
                answer = document["paths"][before].get(source, {}).get("responses", {}).get(status)
                if answer is None:
                    continue
                outer = [one.partition("}")[0] for one in before.split("{")[1:]]
                answer.setdefault("links", {})[f"{method} {path}"] = {
                    "operationRef": reference,
                    "parameters": {
                        f"path.{name}": f"$response.body#/{place}",
                        **{f"path.{one}": f"$request.path.{one}" for one in outer},
                    },
                }
                made += 1
    return made


def test_operations_that_follow_one_another_keep_to_their_document(
    app: Flask, api_schema: schemathesis.BaseSchema
) -> None:
    """What is listed or made is read, changed and removed, well and badly, in any order."""
    document = api_schema.raw_schema
    assert with_links(document) > 50
    headers = api_schema.config.headers or {}
    schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(CONFIG))
    schema.app = EachAlone(app)
    schema.config.update(headers=headers)
    connection = database().sessions.kw["bind"]
    steps: list[str] = []
    answers: Counter[int] = Counter()
    findings: dict[str, str] = {}

    class Following(schema.as_state_machine()):  # type: ignore[misc]
        """One scenario after the other, each from the same beginning: nothing of one stays."""

        def setup(self) -> None:
            self.beginning = connection.begin_nested()

        def teardown(self) -> None:
            self.beginning.rollback()

        def before_call(self, case: schemathesis.Case) -> None:
            # Nobody knows the version of what was just found: every second time it does not matter.
            if len(steps) % 2:
                case.headers["If-Match"] = "*"
            steps.append(case.operation.label)

        def validate_response(self, response: Any, case: schemathesis.Case, **more: Any) -> None:
            answers[response.status_code] += 1
            try:
                super().validate_response(response, case, **more)
            except BaseExceptionGroup as error:
                findings[case.operation.label] = "".join(traceback.format_exception_only(error))

    Following.run(
        settings=settings(
            max_examples=EXAMPLES * 2,
            stateful_step_count=8,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
    )
    print(f"\n{len(steps)} steps of {len(set(steps))} operations: {dict(sorted(answers.items()))}")
    assert findings == {}, "\n\n".join(findings.values())
    assert len(set(steps)) >= 10


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
