"""What the page of a tower is set by: the expected influence zone, ends of permits, neighbours."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# `fall_zone_factor`: the radius of the expected influence zone as a multiple of the mast's height.
#   No Vietnamese fall distance for telecom masts was found. US ordinances ask for 75 % (Maywood) to
#   200 % (Fort Lauderdale, Hialeah), mostly 100 to 110 %; a failing anchor can lay a mast down in
#   its full length. 1.1 is a proposal: a figure to look at, not a corridor of any law.
# `fall_zone_building_factor`: on a roof, the share of the building's height that is added to it; a
#   proposal too.
# `permit_soon_days`: how long before its end a permit counts as about to expire: a proposal, since
#   renewing a certificate takes weeks.
# `neighbour_m`: within how many metres a tower's page names the others; provinces ask for 100 m to
#   500 m between masts, or for sharing.
# `public_url`: the address under which readers reach the service, for the code on the site sign;
#   empty: the address that was asked.
SETTINGS = {
    "fall_zone_factor": "1.1",
    "fall_zone_building_factor": "0.5",
    "permit_soon_days": "90",
    "neighbour_m": "500",
    "public_url": '""',
}


def upgrade() -> None:
    values = ", ".join(f"('{key}', '{value}')" for key, value in SETTINGS.items())
    op.execute(f"INSERT INTO setting (key, value) VALUES {values}")  # noqa: S608 - above
    # The list of ending permits asks of each whether a later one of its kind took its place.
    op.execute("DROP INDEX ix_permit_tower_id")
    op.execute("CREATE INDEX ix_permit_tower_id_kind ON permit (tower_id, kind)")


def downgrade() -> None:
    op.execute("DROP INDEX ix_permit_tower_id_kind")
    op.execute("CREATE INDEX ix_permit_tower_id ON permit (tower_id)")
    keys = ", ".join(f"'{key}'" for key in SETTINGS)
    op.execute(f"DELETE FROM setting WHERE key IN ({keys})")  # noqa: S608
