"""Geometry files, opened safely: GeoJSON, GeoPackage, Shapefile in a zip, KML, FlatGeobuf.

The file is read by `core.geofiles_child` in a process with limits, in batches, so that neither
side holds it whole. Its ending decides how it is read; content that does not fit is refused.
"""

from __future__ import annotations

import base64
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import confined
from core.errors import Invalid, TooLarge, UnsupportedMedia
from core.words import N_

MAX_BYTES = 300_000_000
# Its library holds the whole file, which takes ten times this.
MAX_KML_BYTES = 50_000_000
# Of a Shapefile unpacked beside its zip.
MAX_WRITTEN = 1_100_000_000
CPU_SECONDS = 300

# What each ending is read as; `core.geofiles_child` has the driver.
ENDINGS = {
    ".geojson": ".geojson",
    ".json": ".geojson",
    ".geojsonl": ".geojsonl",
    ".geojsons": ".geojsonl",
    ".ndjson": ".geojsonl",
    ".gpkg": ".gpkg",
    ".zip": ".zip",
    ".kml": ".kml",
    ".fgb": ".fgb",
}
FORMATS = {
    ".geojson": "GeoJSON",
    ".geojsonl": "GeoJSONSeq",
    ".gpkg": "GeoPackage",
    ".zip": "Shapefile",
    ".kml": "KML",
    ".fgb": "FlatGeobuf",
}


@dataclass(frozen=True)
class Layer:
    """A layer as the file describes it.

    `srid` is the EPSG code of its coordinates, `None` where none is known; `system` the name that
    the file gives, `projection` the parameters of a projection by their names in EPSG.
    """

    name: str
    columns: tuple[str, ...]
    geometry: str
    srid: int | None
    system: str
    projection: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Feature:
    """One feature: its place in the layer from 1, its values by column, its geometry as WKB.

    A value is a text, number, truth value, list or `None`; days and times are ISO texts. `wkb` is
    `None` where there is no geometry, and in the layer's coordinates, x before y.
    """

    number: int
    values: list[Any]
    wkb: bytes | None


@dataclass(frozen=True)
class OpenLayer:
    """A layer that is being read: its features can be taken once, one by one."""

    layer: Layer
    format: str
    features: Iterator[Feature]


class SeveralLayers(Invalid):
    """The file has several layers and nobody said which; `names` are theirs."""

    code = "several_layers"

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(
            N_("The file has several layers: choose one of %(names)s"), names=", ".join(names)
        )
        self.names = names


def ending_of(filename: str) -> str | None:
    """The ending by which a file of this name is read here, `None` where none is."""
    return ENDINGS.get(Path(filename.lower()).suffix)


def layers(path: Path, filename: str) -> tuple[Layer, ...]:
    """The layers of a file, with what is known of each; raises as `opened` does."""
    with _answers(path, filename, "layers") as (names, answers):
        return tuple(_layer(name, next(answers)) for name in names)


@contextlib.contextmanager
def opened(path: Path, filename: str, *, layer: str | None = None) -> Iterator[OpenLayer]:
    """Open the file at `path`, which was called `filename`, at its only or the named layer.

    Raises `UnsupportedMedia` for an ending that is not read here, `TooLarge`, `SeveralLayers`
    where one must be chosen, and `Invalid` for whatever cannot be read, also while features are
    taken.
    """
    with _answers(path, filename, "features", layer or "") as (names, answers):
        description = next(answers, None)
        if description is None:
            raise SeveralLayers(names)
        chosen = _layer(layer or names[0], description)
        yield OpenLayer(chosen, FORMATS[ending_of(filename) or ""], _features(answers))


@contextlib.contextmanager
def _answers(
    path: Path, filename: str, *wanted: str
) -> Iterator[tuple[tuple[str, ...], Iterator[Any]]]:
    ending = ending_of(filename)
    if ending is None:
        raise UnsupportedMedia(
            N_("Files that end in %(ending)s are not read here, only %(endings)s"),
            ending=Path(filename).suffix[:20] or "–",
            endings=", ".join(ENDINGS),
        )
    limit = MAX_KML_BYTES if ending == ".kml" else MAX_BYTES
    if path.stat().st_size > limit:
        raise TooLarge(N_("The file may have at most %(limit)s MB"), limit=limit // 1_000_000)
    with tempfile.TemporaryDirectory(prefix="thap-canh-") as folder:
        ours = Path(folder) / f"file{ending}"
        ours.symlink_to(path.resolve())
        with contextlib.closing(
            confined.answers(
                "core.geofiles_child",
                str(ours),
                ending,
                Path(filename).stem.replace("\x00", "")[:100],
                *wanted,
                written_bytes=MAX_WRITTEN,
                cpu_seconds=CPU_SECONDS,
                reads=(path.resolve(),),
                writes=(folder,),
            )
        ) as answers:
            yield tuple(next(answers)), answers


def _layer(name: str, description: dict[str, Any]) -> Layer:
    return Layer(
        name=name,
        columns=tuple(description["columns"]),
        geometry=description["geometry"],
        srid=description["srid"],
        system=description["system"],
        projection=description["projection"],
    )


def _features(batches: Iterator[list[list[Any]]]) -> Iterator[Feature]:
    number = 0
    for batch in batches:
        for wkb, values in batch:
            number += 1
            yield Feature(number, values, None if wkb is None else base64.b64decode(wkb))
