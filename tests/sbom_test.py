"""The bill of materials is CycloneDX, has all that is locked, and is the same each time."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from core.install import installed
from core.install.locks import LOCKS, ROOT, read
from tests import sbom


@cache
def written() -> str:
    return sbom.written(sbom.bill(ROOT))


def bill() -> dict[str, Any]:
    return json.loads(written())


def test_the_bill_is_what_cyclonedx_defines() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written()) is None


def test_the_same_locks_give_the_same_bytes() -> None:
    assert sbom.written(sbom.bill(ROOT)) == written()
    assert not {"serialNumber", "timestamp"} & (bill().keys() | bill()["metadata"].keys())


def test_the_bill_has_all_that_is_locked_with_licences_and_hashes() -> None:
    parts = {part["bom-ref"]: part for part in bill()["components"]}
    served = {one.name for one in read(LOCKS[""])}
    for one in installed.needed(read(LOCKS["test"])):
        part = parts.pop(f"pypi:{one.name}@{one.version}")
        assert part["scope"] == ("required" if one.name in served else "excluded")
        hashes = part["externalReferences"][0]["hashes"]
        assert {said["content"] for said in hashes} == set(one.hashes)
        assert part["licenses"], one
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for place, facts in packages.items():
        if place:
            name = place.removeprefix("node_modules/")
            part = parts.pop(f"{name}@{facts['version']}")
            assert part["licenses"] and part["hashes"], place
            assert part["scope"] == ("excluded" if facts.get("dev") else "required")
    assert {"deb:postgresql-postgis", "deb:python3", "deb:tzdata"} <= parts.keys()
    assert all(ref.startswith("deb:") for ref in parts)


def test_the_bill_says_who_needs_whom() -> None:
    needs = {
        one["ref"].rpartition("@")[0] or one["ref"]: {
            other.rpartition("@")[0] or other for other in one.get("dependsOn", [])
        }
        for one in bill()["dependencies"]
    }
    assert {"pypi:flask", "leaflet", "deb:postgresql-postgis"} <= needs["thap-canh"]
    assert "pypi:pytest" not in needs["thap-canh"]
    assert {"pypi:werkzeug", "pypi:jinja2"} <= needs["pypi:flask"]
    assert "pypi:psycopg-binary" in needs["pypi:psycopg"]
    assert {"@mapbox/point-geometry", "pbf"} <= needs["@mapbox/vector-tile"]
