"""`make mutate`: takes away one predicate or one guard at a time, and looks who notices.

Each rule of the policy is made to show everything (`visible`) and to reach everything (`reaches`),
each action is given to all roles, each route asks for a sign-in alone, or for nothing where it
asked for no more. A mutant that leaves every
line of `authz.yaml`, every mark of a foreign territory and every check below as it was has
survived: then a test is missing, or the guard is not needed. Lines that can notice are asked
first, so that a mutant costs seconds.

`python -m tests.mutate [WORD]` tries those whose name has the word.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flask import Flask
from sqlalchemy import true
from sqlalchemy.orm import Session

from core import guard, policy
from core.guard import route_action
from core.policy import PUBLIC, SIGNED_IN
from tests import authz, authz_rules, doors
from tests.authz import Bench, Line, lines, routes
from tests.conftest import Note

WORD = "MUTATE_ONLY"
EVERYBODY = frozenset({"admin", "staff", "inspector", "local_officer", "operator", "system"})


@dataclass(frozen=True)
class Mutant:
    """One thing taken away: how, and which lines are the first to notice."""

    name: str
    apply: Callable[[], object]
    near: Sequence[Line] = ()
    kind: str = ""


@contextmanager
def rule_changed(kind: str, **changes: object) -> Iterator[None]:
    """Within the block a rule of the policy is another one."""
    rules = policy._registry.rules
    usual = rules[kind]
    rules[kind] = replace(usual, **changes)  # type: ignore[arg-type]
    try:
        yield
    finally:
        rules[kind] = usual


@contextmanager
def unguarded(endpoint: str, method: str, weaker: str) -> Iterator[None]:
    """Within the block a route asks for less."""

    def without(app: Flask, asked: str, by: str) -> str | None:
        return weaker if (asked, by) == (endpoint, method) else route_action(app, asked, by)

    guard.route_action = without
    try:
        yield
    finally:
        guard.route_action = route_action


def everybody_may(action: str) -> bool:
    """Whether an action asks no more than that somebody has signed in."""
    if action == SIGNED_IN:
        return True
    kind, _, verb = action.partition(".")
    return policy._registry.rules[kind].actions[verb] >= EVERYBODY


def mutants(app: Flask) -> list[Mutant]:
    """All of them, in the order of their names."""
    of_action: dict[str, list[Line]] = {}
    found = []
    for rule, method, endpoint in routes(app):
        action = route_action(app, endpoint, method)
        if action is None:
            continue
        of_action.setdefault(action, []).append((rule, method))
        if action != PUBLIC:
            weaker = PUBLIC if everybody_may(action) else SIGNED_IN
            found.append(
                Mutant(
                    f"guard of {method} {rule}",
                    lambda one=endpoint, by=method, to=weaker: unguarded(one, by, to),
                    [(rule, method)],
                )
            )
    for kind, rule_ in policy._registry.rules.items():
        near = [
            line
            for action, some in of_action.items()
            if action.partition(".")[0] == kind
            for line in some
        ]
        everything = {"visible": lambda actor: true(), "reaches": lambda actor, thing: True}
        for name, weaker in everything.items():
            # Some kinds have no scope: whoever may look at one of them may look at all. And of what
            # is counted there is no single thing to reach.
            free = kind in authz_rules.UNBOUND
            if name == "reaches" and (free or kind in authz_rules.COUNTED):
                continue
            if free and is_everything(rule_.visible):
                continue
            found.append(
                Mutant(
                    f"{kind}: {name}",
                    lambda one=kind, key=name, by=weaker: rule_changed(one, **{key: by}),
                    near,
                    kind,
                )
            )
        for verb in rule_.whole:
            found.append(
                Mutant(
                    f"{kind}.{verb}: whole",
                    lambda one=kind, left=rule_.whole - {verb}: rule_changed(one, whole=left),
                    of_action.get(f"{kind}.{verb}", ()),
                    kind,
                )
            )
        for verb, roles in rule_.actions.items():
            if roles >= EVERYBODY:
                continue
            found.append(
                Mutant(
                    f"{kind}.{verb}: roles",
                    lambda one=kind, key=verb, given=rule_: rule_changed(
                        one, actions={**given.actions, key: EVERYBODY | given.actions[key]}
                    ),
                    of_action.get(f"{kind}.{verb}", ()),
                    kind,
                )
            )
    return sorted(found, key=lambda one: one.name)


def is_everything(visible: policy.Visible) -> bool:
    """Whether a predicate shows all there is to whoever may look at all."""
    nobody = policy.Actor(id=None, email="", roles=frozenset({"inspector"}), communes=frozenset())
    return str(visible(nobody)) == str(true())


# A service asks for the same action once more: no request tells, the list of actions does.
BY_NAME = "its line names another action"


def noticed(bench: Bench, mutant: Mutant) -> str | None:
    """The first thing that is not as it should be; `None` where the mutant survives."""
    with mutant.apply():  # type: ignore[attr-defined]
        bench.forget()
        few = sorted(mutant.near, key=_cost)[:8]
        for wrong in (
            bench.wrong(few),
            authz_rules.wrong(bench, [mutant.kind] if mutant.kind else ()),
            bench.wrong(sorted(set(mutant.near) - set(few), key=_cost)),
            # Of a guard its own line says everything; what no route names may show anywhere.
            bench.wrong([] if mutant.near else sorted(lines(), key=_cost)),
        ):
            for one in wrong:
                return str(one)
        if mutant.near and authz.named(bench.app) != authz.actions():
            return BY_NAME
    return None


def _cost(line: Line) -> tuple[bool, Line]:
    """Those first that print nothing."""
    return line[0].endswith((".pdf", ".png", "<form>", ".docx", ".xlsx")), line


def test_each_mutant_is_noticed(
    app: Flask, session: Session, world: doors.World, figure: Note
) -> None:
    bench = authz.bench(app, session, world)
    word, began = os.environ.get(WORD, ""), time.monotonic()
    chosen = [one for one in mutants(app) if word in one.name]
    survivors, twice = [], 0
    for mutant in chosen:
        at = time.monotonic()
        found = noticed(bench, mutant)
        took = time.monotonic() - at
        twice += found == BY_NAME
        if found is None:
            survivors.append(mutant.name)
            print(f"SURVIVED  {mutant.name}  ({took:.1f} s)", flush=True)
        elif took > 5 or word:
            print(f"killed    {mutant.name}  ({took:.1f} s)  {found}", flush=True)
    killed, seconds = len(chosen) - len(survivors), time.monotonic() - began
    print(
        f"{len(chosen)} mutants: {killed} killed ({twice} by the name of their action alone, as"
        f" what stands behind asks again), {len(survivors)} survived; {bench.asked} requests,"
        f" {seconds:.0f} s",
        flush=True,
    )
    figure("P6", "mutants", len(chosen))
    figure("P6", "mutants survived", len(survivors), wrong=True)
    assert chosen
    assert survivors == []


if __name__ == "__main__":
    import pytest

    os.environ[WORD] = " ".join(sys.argv[1:])
    sys.exit(
        pytest.main(
            ["-q", "-s", "-p", "no:xdist", "-p", "no:warnings", "--show-capture=no", "--tb=line",
             str(Path(__file__))]
        )
    )  # fmt: skip
