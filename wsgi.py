"""The entry point of servers and of the `flask` command."""

from app import create_app
from core.cluster import with_database
from core.settings import Settings

app = create_app(with_database(Settings.from_environment()))
