"""The English text of each value of areas; translated where it is shown."""

from __future__ import annotations

from core.words import N_

VOCABULARIES: dict[str, dict[str, str]] = {
    "area_level": {
        "province": N_("Province"),
        "district": N_("District"),
        "commune": N_("Commune"),
    },
}
