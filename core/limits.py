"""How often one address may ask what is open to everybody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import wraps
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from flask import Flask, request
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from core.errors import TooMany


def network(address: str, *, of_ipv4: int = 32) -> str:
    """The network of so many bits that counts as one asker; other texts as they are.

    Of IPv6 it is the /64 that one subscriber has at least (RFC 6177).
    """
    try:
        asker = ip_address(address)
    except ValueError:
        return address
    if isinstance(asker, IPv6Address):
        if asker.ipv4_mapped is None:
            return str(ip_network((int(asker), 64), strict=False))
        asker = asker.ipv4_mapped
    return str(ip_network((int(asker), of_ipv4), strict=False))


def limit(
    app: Flask, rate: str, endpoints: Iterable[str], *, methods: Sequence[str] | None = None
) -> None:
    """Answer 429 where an address asks these endpoints more often; no `rate` is no limit.

    `rate` is as of the library, `10 per minute; 100 per hour`. Each server process counts for
    itself. Endpoints that are not there are left out.
    """
    if not rate:
        return
    window, rates = FixedWindowRateLimiter(MemoryStorage()), parse_many(rate)
    for endpoint in endpoints:
        view = app.view_functions.get(endpoint)
        if view is not None:
            app.view_functions[endpoint] = _limited(view, endpoint, window, rates, methods)


def _limited(
    view: Any,
    endpoint: str,
    window: FixedWindowRateLimiter,
    rates: Sequence[RateLimitItem],
    methods: Sequence[str] | None,
) -> Any:
    """The view, asked so often by one address and no oftener.

    Only these views look: a hook before every request took a tenth of the time of a tile.
    """

    @wraps(view)
    def limited(*arguments: Any, **named: Any) -> Any:
        if methods is None or request.method in methods:
            who = (endpoint, request.method, network(request.remote_addr or ""))
            # Each rate counts, also where another one is used up.
            if not all([window.hit(one, *who) for one in rates]):
                raise TooMany()
        return view(*arguments, **named)

    return limited
