"""Words of people and organisations."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    ADMIN = "admin"
    STAFF = "staff"
    INSPECTOR = "inspector"
    LOCAL_OFFICER = "local_officer"
    OPERATOR = "operator"


class OrganisationKind(StrEnum):
    DEPARTMENT = "department"
    COMMUNE = "commune"
    OWNER = "owner"
    OPERATOR = "operator"
    MANAGER = "manager"
