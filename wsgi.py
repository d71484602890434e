"""The entry point of servers and of the `flask` command."""

import gc

# What is read at the start stays to the end: to look through it for garbage again and again took
# a sixth of the start, and made the processes of a server copy pages that they share.
gc.disable()

from app import create_app  # noqa: E402
from core.cluster import with_database  # noqa: E402
from core.settings import Settings  # noqa: E402

app = create_app(with_database(Settings.from_environment()))

gc.freeze()
gc.enable()
