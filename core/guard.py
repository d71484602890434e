"""The default-deny guard: a route runs only when it names an action that the actor may do."""

from __future__ import annotations

from collections.abc import Callable, Collection

from flask import Flask, g, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from core.db import read_only
from core.errors import Forbidden
from core.policy import ANONYMOUS, PUBLIC, Actor, action_of, require
from core.words import N_

SAFE = {"GET", "HEAD", "OPTIONS"}


def current_actor() -> Actor:
    """Who makes this request; `ANONYMOUS` before anybody is recognised."""
    return g.get("actor", ANONYMOUS)


def init_app(
    app: Flask,
    *,
    find_actor: Callable[[], Actor],
    endpoint_actions: dict[str, str],
    for_onlookers: Collection[str] = (),
) -> None:
    """Guard every route.

    `find_actor` recognises the requester (session or token); `endpoint_actions` names the
    actions of routes whose views come from libraries; `for_onlookers` are the endpoints by which
    somebody who looks at the service as another person goes back to being themselves.
    """
    app.extensions["endpoint_actions"] = endpoint_actions

    @app.before_request
    def guard_route() -> None:
        failure = request.routing_exception
        if isinstance(failure, NotFound | MethodNotAllowed | RequestRedirect):
            # Nothing of ours runs, but the page that says so still knows its reader.
            g.actor = find_actor()
            return
        action = None
        if request.endpoint is not None:
            action = route_action(app, request.endpoint, request.method)
        g.actor = ANONYMOUS if action == PUBLIC and request.endpoint == "static" else find_actor()
        if action is None:
            raise Forbidden()
        require(g.actor, action)
        if g.actor.onlooker and request.endpoint not in for_onlookers:
            if request.method not in SAFE:
                raise Forbidden(N_("You are looking as another person: nothing can be changed"))
            read_only()


def route_action(app: Flask, endpoint: str, method: str) -> str | None:
    """The action of a route for a method; `None` is refused."""
    named: dict[str, str] = app.extensions["endpoint_actions"]
    if endpoint in named:
        return named[endpoint]
    if method == "OPTIONS":
        return PUBLIC
    return action_of(app.view_functions[endpoint], method)
