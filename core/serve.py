"""How gunicorn serves the application: `gunicorn --config python:core.serve wsgi:app`.

`core.run` passes the address, the number of workers and how long a stop may take.
"""

from __future__ import annotations

from typing import Any

wsgi_app = "wsgi:app"
worker_class = "gthread"
threads = 8
# The application is read once and shared; its database connections are each worker's own.
preload_app = True
timeout = 60
keepalive = 5
loglevel = "warning"
# Requests are logged by the application, with their id.
accesslog = None
# Its default place is one for all services of a user.
control_socket_disable = True
limit_request_line = 8190


def post_fork(server: Any, worker: Any) -> None:
    """Forget connections that the parent may have opened: two processes cannot share one."""
    worker.app.wsgi().extensions["database"].engine.dispose(close=False)
