"""Who may do what: a registry of rules and the guard that refuses every unnamed route.

Each feature registers, for each kind of thing it owns, one rule in two forms: `may` for one
thing and `visible` as a SQL predicate for lists. A route names its action with `@guard`; a
route that names none is refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, false

from core.errors import Forbidden, NotFound, Unauthenticated
from core.words import N_

View = TypeVar("View", bound=Callable[..., Any])

PUBLIC = "public"
SIGNED_IN = "signed_in"


@dataclass(frozen=True)
class Actor:
    """Who acts. `communes` is the territory as area ids; `None` means the whole register.

    `onlooker` names who looks at the service as this person does, and changes nothing.
    """

    id: uuid.UUID | None
    email: str
    roles: frozenset[str] = frozenset()
    communes: frozenset[int] | None = frozenset()
    organisation_id: uuid.UUID | None = None
    name: str = ""
    onlooker: str = ""

    def has(self, *roles: str) -> bool:
        return not self.roles.isdisjoint(roles)

    @property
    def alike(self) -> Actor:
        """Whom this actor has roles, territory and organisation in common with, as one reader: what
        is kept for several must be made for it, so that nothing of one person is in it."""
        return replace(self, id=None, email="", name="", onlooker="")


# Commands act for the person at the console, who owns the machine.
SYSTEM = Actor(id=None, email="system", roles=frozenset({"system"}), communes=None, name="system")
ANONYMOUS = Actor(id=None, email="")

May = Callable[[Actor, str, Any], bool]
Visible = Callable[[Actor], ColumnElement[bool]]


@dataclass
class Rule:
    actions: Mapping[str, frozenset[str]]
    reaches: Callable[[Actor, Any], bool]
    visible: Visible
    whole: frozenset[str] = frozenset()


@dataclass
class Registry:
    rules: dict[str, Rule] = field(default_factory=dict)


_registry = Registry()


def register(
    kind: str,
    *,
    actions: Mapping[str, set[str]],
    visible: Visible,
    reaches: Callable[[Actor, Any], bool],
    whole: Collection[str] = (),
) -> None:
    """Say who may do what with a kind of thing.

    What the actions of `whole` do counts everywhere: only who sees the whole register may do them.
    `actions` names for each action the roles that may; `reaches(actor, thing)` says whether the
    thing lies in the actor's scope; `visible(actor)` is the same scope as a SQL predicate.
    """
    _registry.rules[kind] = Rule(
        actions={action: frozenset(roles | {"system"}) for action, roles in actions.items()},
        visible=visible,
        reaches=reaches,
        whole=frozenset(whole),
    )


def _rule(kind: str) -> Rule:
    try:
        return _registry.rules[kind]
    except KeyError:
        raise LookupError(f"no policy is registered for {kind!r}") from None


def allows(actor: Actor, action: str) -> bool:
    """Whether the actor has the function `kind.action`, by role and where it needs that by seeing
    the whole register, whatever the thing."""
    if action == PUBLIC:
        return True
    if actor.id is None and not actor.roles:
        return False
    if action == SIGNED_IN:
        return True
    return _has_role(actor, action) and not _is_bound(actor, action)


def _has_role(actor: Actor, action: str) -> bool:
    kind, _, verb = action.partition(".")
    roles = _rule(kind).actions.get(verb)
    if roles is None:
        raise LookupError(f"no policy names the action {action!r}")
    return actor.has(*roles)


def _is_bound(actor: Actor, action: str) -> bool:
    """Whether an action counts beyond the actor's territory."""
    kind, _, verb = action.partition(".")
    return actor.communes is not None and verb in _rule(kind).whole


def may(actor: Actor, action: str, thing: Any = None) -> bool:
    """Whether the actor may do `kind.action` with this thing (or with any, without one)."""
    if not allows(actor, action):
        return False
    return thing is None or _rule(action.partition(".")[0]).reaches(actor, thing)


def require(actor: Actor, action: str, thing: Any = None) -> None:
    """Raise what the actor should be told: 401, 403 for a function, 404 for a foreign thing."""
    if not allows(actor, action):
        if actor.id is None:
            raise Unauthenticated()
        if _has_role(actor, action):
            message = N_("This counts everywhere: only who sees the whole register may do it")
            raise Forbidden(message)
        raise Forbidden()
    if thing is not None and not _rule(action.partition(".")[0]).reaches(actor, thing):
        raise NotFound()


def visible(actor: Actor, kind: str) -> ColumnElement[bool]:
    """The SQL predicate of what the actor may see of a kind; nothing without the role to view."""
    if not allows(actor, f"{kind}.view"):
        return false()
    return _rule(kind).visible(actor)


def guard(action: str) -> Callable[[View], View]:
    """Name the action of a view (a function, or a method of a `MethodView`)."""

    def mark(view: View) -> View:
        view.__dict__["policy_action"] = action
        return view

    return mark


def action_of(view: Any, method: str) -> str | None:
    """The action that a view names for an HTTP method; `None` means it is refused."""
    named = getattr(view, "policy_action", None)
    if named is not None:
        return named
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return None
    verb = getattr(view_class, method.lower(), None)
    if verb is None and method == "HEAD":
        verb = getattr(view_class, "get", None)
    return getattr(verb, "policy_action", None) or getattr(view_class, "policy_action", None)
