"""Croissant metadata (https://docs.mlcommons.org/croissant/docs/croissant-spec.html) of a built dataset.

One record set per config; its fields are the columns of the schema, and one file set joins the Parquet files of its
splits. Records say their split in the column `split`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ita_med import licence_table
from ita_med.catalogue import Dataset
from ita_med.schema import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

FILE = "croissant.json"
PARQUET = "application/x-parquet"
CONTEXT = {
    "@language": "it",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def metadata(entry: Dataset, root: Path, configs: dict[str, str], version: str, note: str = "") -> dict[str, Any]:
    """Croissant 1.1 JSON-LD for the Parquet files below `root`.

    Args:
        entry: The dataset's row of the catalogue.
        root: The built folder.
        configs: Config -> schema; those without a file are left out.
        version: Of the data.
        note: Is put before the description (that this is the synthetic sample, for example).
    """
    files: list[dict[str, Any]] = []
    record_sets = []
    for config, schema in configs.items():
        paths = sorted((root / config).glob("*.parquet"))
        if not paths:
            continue
        files += [_file(path, root) for path in paths]
        files.append(
            {
                "@type": "cr:FileSet",
                "@id": f"{config}-files",
                "name": f"{config}-files",
                "encodingFormat": PARQUET,
                "includes": f"{config}/*.parquet",
            }
        )
        record_sets.append(_record_set(config, schema))
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": entry.id,
        "alternateName": entry.name,
        "description": f"{note} {entry.note}".strip(),
        "inLanguage": "it",
        "license": licence_table.address(entry.licence),
        "url": entry.homepage,
        "citeAs": entry.citation,
        "version": version,
        "distribution": files,
        "recordSet": record_sets,
    }


def _file(path: Path, root: Path) -> dict[str, Any]:
    place = path.relative_to(root).as_posix()
    return {
        "@type": "cr:FileObject",
        "@id": place,
        "name": place,
        "contentUrl": place,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": PARQUET,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _record_set(config: str, schema: str) -> dict[str, Any]:
    fields = [_field(f"{config}/{f.name}", f.type, f"{config}-files", f.name) for f in arrow_schema(schema)]
    return {"@type": "cr:RecordSet", "@id": config, "name": config, "key": {"@id": f"{config}/id"}, "field": fields}


def _field(place: str, kind: pa.DataType, file_set: str, column: str, member: str = "") -> dict[str, Any]:
    """A column, or with `member` one key of the structures in it."""
    import pyarrow as pa

    field: dict[str, Any] = {"@type": "cr:Field", "@id": place, "name": place.rpartition("/")[2]}
    if pa.types.is_list(kind):
        field |= {"isArray": True, "arrayShape": "-1"}
        kind = kind.value_type
    if pa.types.is_struct(kind):
        return field | {"subField": [_field(f"{place}/{f.name}", f.type, file_set, column, f.name) for f in kind]}
    source: dict[str, Any] = {"fileSet": {"@id": file_set}, "extract": {"column": column}}
    if member:
        source["transform"] = {"jsonPath": member}
    return field | {"dataType": "sc:Integer" if pa.types.is_integer(kind) else "sc:Text", "source": source}
