"""The examples in `docs/operations` go together with the service that they are for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flask import Flask

from core.settings import ROOT

NGINX = (ROOT / "docs" / "operations" / "nginx.conf").read_text(encoding="utf-8")
MEGABYTE = 1024 * 1024


def large(app: Flask) -> Iterator[tuple[str, int]]:
    """An address of each route that takes large files, and how many bytes."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        kind = getattr(view, "view_class", None)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            one = getattr(kind, method.lower(), None) if kind else view
            if limit := getattr(one, "max_body", 0):
                yield re.sub("<[^>]+>", "x1", rule.rule), limit


def test_nginx_writes_no_key_into_its_log(app: Flask) -> None:
    (shown,) = re.findall(r"\(\?<shown>([^)]+)\)", NGINX)
    keys = {str(rule) for rule in app.url_map.iter_rules() if "<token>" in str(rule)}
    assert len(keys) > 5
    assert {rule.partition("<token>")[0] for rule in keys} == set(shown.split("|"))


def test_nginx_lets_through_what_the_service_takes(app: Flask) -> None:
    (usual,) = re.findall(r"^    client_max_body_size (\d+)m", NGINX, re.MULTILINE)
    assert app.config["MAX_CONTENT_LENGTH"] <= int(usual) * MEGABYTE
    others = re.findall(r"location ~ (\S+) \{\s+client_max_body_size (\d+)m", NGINX)
    found = list(large(app))
    assert len(found) > 5
    for address, limit in found:
        sizes = [int(size) for pattern, size in others if re.match(pattern, address)]
        assert sizes and limit <= sizes[0] * MEGABYTE, address
