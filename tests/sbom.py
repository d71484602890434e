"""`make sbom`: what the service is made of, as CycloneDX, in `instance/sbom.cdx.json`.

Libraries of Python and npm by their lock files, with hashes, licences and who needs whom, and the
Debian packages that are asked for. What only the tests need has the scope `excluded`. The same
locks give the same bytes: no time and no random number stands in it.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement

from core.install import installed, licences
from core.install.__main__ import requirements
from core.install.check import NPM, SITE
from core.install.locks import LOCKS, ROOT, Locked, canonical, read

FILE = ROOT / "instance/sbom.cdx.json"


def main() -> int:
    """Write the file; 1 where CycloneDX's own schema finds something wrong with it."""
    bom = bill(ROOT)
    text = written(bom)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        print(wrong, file=sys.stderr)
        return 1
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text, encoding="utf-8")
    print(f"{os.path.relpath(FILE)}: {len(bom.components)} components")
    return 0


def bill(root: Path) -> Bom:
    """All components and who needs whom, of a checkout."""
    setup = configparser.ConfigParser()
    setup.read(root / "setup.cfg", encoding="utf-8")
    facts = setup["metadata"]
    service = Component(
        type=ComponentType.APPLICATION,
        name=facts["name"],
        version=facts["version"],
        description=facts["description"],
        licenses=[spdx(facts["license"])],
        bom_ref=facts["name"],
    )
    bom = Bom()
    bom.metadata.component = service
    # Fields that a library would fill with something else each time.
    bom.serial_number = None  # type: ignore[assignment]
    bom.metadata.timestamp = None  # type: ignore[assignment]
    needs = add_python(bom) + add_npm(bom, root) + add_debian(bom)
    bom.register_dependency(service, needs)
    return bom


def written(bom: Bom) -> str:
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def spdx(expression: str) -> License:
    """One licence by its name, several as an expression."""
    if " " in expression:
        return LicenseExpression(expression)
    return DisjunctiveLicense(id=expression)


def add_python(bom: Bom) -> list[Component]:
    """Add what is locked for this Python; returns what setup.cfg itself asks for."""
    known = licences.load()
    here = installed.libraries(SITE)
    served = {one.name for one in read(LOCKS[""])}
    components = {
        one.name: python_component(one, here[one.name], known, one.name in served)
        for one in installed.needed(read(LOCKS["test"]))
    }
    bom.components.update(components.values())
    asked = {extra: [Requirement(line) for line in requirements(extra)] for extra in LOCKS}
    needs: dict[str, set[str]] = {name: set() for name in components}
    todo = [(canonical(one.name), one.extras) for some in asked.values() for one in some]
    seen = set()
    while todo:
        name, extras = todo.pop()
        if (name, frozenset(extras)) in seen:
            continue
        seen.add((name, frozenset(extras)))
        for wanted in map(Requirement, here[name].requires or []):
            if wanted.marker is None or any(
                wanted.marker.evaluate({"extra": extra}) for extra in ["", *extras]
            ):
                needs[name].add(canonical(wanted.name))
                todo.append((canonical(wanted.name), wanted.extras))
    for name, others in needs.items():
        bom.register_dependency(components[name], [components[other] for other in others])
    return [components[canonical(one.name)] for one in asked[""]]


def python_component(
    locked: Locked, library: Distribution, known: licences.Licences, served: bool
) -> Component:
    return Component(
        type=ComponentType.LIBRARY,
        name=locked.name,
        version=locked.version,
        description=library.metadata["Summary"],
        scope=ComponentScope.REQUIRED if served else ComponentScope.EXCLUDED,
        licenses=[spdx(licences.of_library(library, known))],
        purl=PackageURL("pypi", name=locked.name, version=locked.version),
        bom_ref=f"pypi:{locked.name}@{locked.version}",
        # Any of these files may have been installed: there is one for each kind of machine.
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(f"https://pypi.org/project/{locked.name}/{locked.version}/"),
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in locked.hashes],
            )
        ],
    )


def add_npm(bom: Bom, root: Path) -> list[Component]:
    """Add what npm says of package-lock.json; returns what package.json itself asks for."""
    said = subprocess.run(
        [NPM, "sbom", "--sbom-format=cyclonedx", "--package-lock-only"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    theirs = json.loads(said.stdout)
    # Its own name, in a form that CycloneDX has given up.
    del theirs["metadata"]["tools"]
    theirs = Bom.from_json(theirs)  # type: ignore[attr-defined]
    ours = {str(component.bom_ref): component for component in theirs.components}
    for component in ours.values():
        # What builds the bundles does not come along in them.
        if any(one.name == "cdx:npm:package:development" for one in component.properties):
            component.scope = ComponentScope.EXCLUDED
    bom.components.update(ours.values())
    needs = {
        str(one.ref): [ours[str(other.ref)] for other in one.dependencies]
        for one in theirs.dependencies
    }
    for ref, others in needs.items():
        if ref in ours:
            bom.register_dependency(ours[ref], others)
    return needs[str(theirs.metadata.component.bom_ref)]


def add_debian(bom: Bom) -> list[Component]:
    """Add the packages that a machine of the service has; their versions are the machine's."""
    script = (ROOT / "core/install/packages.sh").read_text(encoding="utf-8")
    functions = script[: script.index("need_browser()")]
    names = sorted({name for some in re.findall(r"missing\+=\(([\w .-]+)\)", functions)
                    for name in some.split()})  # fmt: skip
    found = [
        Component(
            type=ComponentType.LIBRARY,
            name=name,
            purl=PackageURL("deb", namespace="debian", name=name),
            bom_ref=f"deb:{name}",
            properties=[Property(name="thap-canh:version", value="the distribution's")],
        )
        for name in names
    ]
    bom.components.update(found)
    for component in found:
        bom.register_dependency(component)
    return found


if __name__ == "__main__":
    sys.exit(main())
