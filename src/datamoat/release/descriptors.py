"""What a release states about itself in standard formats: Frictionless, Croissant 1.1, RO-Crate 1.3, CFF, and prose.

Each function takes the same `Release` and returns the text or mapping of one file; nothing here reads or writes.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from datamoat.project.column_types import croissant_type, frictionless_type
from datamoat.release.tables import Written, resources_of
from datamoat.storage.files import sha256_of

CROISSANT_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
            "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5",
            "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator",
            "source", "subField", "transform",
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "sc": "https://schema.org/",
}  # fmt: skip
MEDIA = {
    ".csv": "text/csv", ".parquet": "application/x-parquet", ".duckdb": "application/vnd.duckdb",
    ".json": "application/json", ".md": "text/markdown", ".txt": "text/plain", ".cff": "application/yaml",
}  # fmt: skip


@dataclass(frozen=True)
class Release:
    """What every description of a release is made from.

    Attributes:
        release_id: The name of its folder.
        released_on: The day it was made.
        manifest: What `manifest.json` holds.
        about: What the content tree's `reports/release/release.yml` declares.
        sources: Title, publisher, licence, licence_url, attribution and url of each source in it.
        tables: The tables as files.
    """

    release_id: str
    released_on: date
    manifest: dict[str, Any]
    about: dict[str, Any]
    sources: list[dict[str, Any]]
    tables: list[Written]

    @property
    def title(self) -> str:
        """Its title."""
        return str(self.about["title"])

    @property
    def description(self) -> str:
        """What it is, in one paragraph."""
        return " ".join(str(self.about["description"]).split())

    @property
    def version(self) -> str:
        """The day as MAJOR.MINOR.PATCH, as Croissant wants a version."""
        return f"{self.released_on.year}.{self.released_on.month}.{self.released_on.day}"

    @property
    def citation(self) -> str:
        """How to cite it in one line."""
        return (
            f"{self.about['publisher']} ({self.released_on.year}). {self.title}. Release {self.release_id},"
            f" build {self.manifest['build_id']}, data as of {self.manifest['as_of']}."
        )


def datapackage(release: Release, folder: Path) -> dict[str, Any]:
    """Return the Frictionless descriptor: every file with its hash, every CSV with its schema."""
    licence = release.about["licence"]
    resources = [resource for table in release.tables for resource in resources_of(folder, table)]
    return {
        "profile": "data-package",
        "name": release.about["name"],
        "id": release.release_id,
        "title": release.title,
        "description": release.description,
        "version": release.manifest["build_id"],
        "created": f"{release.released_on.isoformat()}T00:00:00Z",
        "keywords": release.about["keywords"],
        "licenses": [{"name": licence["id"], "title": licence["title"], "path": licence["url"]}],
        "contributors": [{"title": release.about["publisher"], "role": "publisher"}],
        "sources": [
            {
                key: value
                for key, value in (("title", source["title"]), ("path", source["url"]), ("credit", source["attribution"]))
                if value
            }
            for source in release.sources
        ],
        "resources": resources,
    }


def croissant(release: Release, folder: Path) -> dict[str, Any]:
    """Return the Croissant 1.1 description: each Parquet file of a mart, and its columns as a record set."""
    licence = release.about["licence"]
    files, records = [], []
    for table in release.tables:
        ident = table.parquet
        files.append(
            {
                "@type": "cr:FileObject", "@id": ident, "name": ident, "description": table.description or table.name,
                "contentUrl": table.parquet, "contentSize": f"{(folder / table.parquet).stat().st_size} B",
                "encodingFormat": "application/x-parquet", "sha256": sha256_of(folder / table.parquet),
            }
        )  # fmt: skip
        fields = []
        for column, kind, unit, description, _ in table.columns:
            is_list = kind.endswith("[]")
            entry: dict[str, Any] = {
                "@type": "cr:Field", "@id": f"{table.name}/{column}", "name": column,
                "description": (f"{description} [{unit}]" if unit else description) or column,
                "dataType": croissant_type(kind),
                "source": {"fileObject": {"@id": ident}, "extract": {"column": column}},
            }  # fmt: skip
            if is_list:
                entry |= {"isArray": True, "arrayShape": "-1"}
            fields.append(entry)
        record: dict[str, Any] = {
            "@type": "cr:RecordSet", "@id": table.name, "name": table.name, "description": table.description or table.name,
            "field": fields,
        }  # fmt: skip
        if table.grain:
            record["key"] = [{"@id": f"{table.name}/{column}"} for column in table.grain]
        records.append(record)
    return {
        "@context": CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": release.about["name"],
        "description": release.description,
        "version": release.version,
        "datePublished": release.released_on.isoformat(),
        "license": licence["url"],
        "url": f"urn:datamoat:{release.release_id}",
        "citeAs": release.citation,
        "keywords": release.about["keywords"],
        "creator": {"@type": "sc:Organization", "name": release.about["publisher"]},
        "isLiveDataset": False,
        "distribution": files,
        "recordSet": records,
    }


def ro_crate(release: Release, folder: Path) -> dict[str, Any]:
    """Return the RO-Crate 1.3 metadata: every file, the run that made them, the inputs and whom to credit."""
    licence = release.about["licence"]
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    by_path = {path: table for table in release.tables for path in (table.parquet, table.csv) if path}
    files = []
    for path in paths:
        table = by_path.get(path)
        files.append(
            {
                "@id": path, "@type": "File", "name": table.name if table else path,
                "description": (table.description if table else "") or path,
                "contentSize": str((folder / path).stat().st_size), "sha256": sha256_of(folder / path),
                "encodingFormat": MEDIA.get(Path(path).suffix, "application/octet-stream"),
            }
        )  # fmt: skip
    folders = [
        {"@id": f"{name}/", "@type": "Dataset", "name": name, "description": f"The files in {name}/."}
        for name in sorted({path.split("/")[0] for path in paths if "/" in path})
    ]
    sources = [
        {
            "@id": f"#source-{source['source_id']}", "@type": "CreativeWork", "name": source["title"],
            "publisher": {"@id": f"#publisher-{source['source_id']}"},
            "creditText": source["attribution"] or source["title"], "usageInfo": source["licence"] or "see the publisher",
            **({"url": source["url"]} if source["url"] else {}),
        }
        for source in release.sources
    ]  # fmt: skip
    publishers = [
        {"@id": f"#publisher-{source['source_id']}", "@type": "Organization", "name": source["publisher"] or source["title"]}
        for source in release.sources
    ]
    built_at = str(release.manifest["built_at"])
    return {
        "@context": ["https://w3id.org/ro/crate/1.3/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}],
        "@graph": [
            {
                "@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"},
                "conformsTo": {"@id": "https://w3id.org/ro/crate/1.3"},
            },
            {
                "@id": "./", "@type": "Dataset", "name": release.title, "description": release.description,
                "identifier": release.release_id, "version": release.manifest["build_id"],
                "datePublished": release.released_on.isoformat(), "license": {"@id": licence["url"]},
                "publisher": {"@id": "#publisher"}, "author": {"@id": "#publisher"}, "creditText": release.citation,
                "keywords": ", ".join(release.about["keywords"]),
                "hasPart": [{"@id": part["@id"]} for part in (*folders, *files)],
                "isBasedOn": [{"@id": source["@id"]} for source in sources],
                "mentions": [{"@id": "#build"}],
            },
            {"@id": licence["url"], "@type": "CreativeWork", "name": licence["title"], "description": licence["title"], "url": licence["url"]},
            {"@id": "#publisher", "@type": "Organization", "name": release.about["publisher"]},
            {
                "@id": "#build", "@type": "CreateAction", "name": f"Build {release.manifest['build_id']}",
                "instrument": {"@id": "#software"}, "agent": {"@id": "#publisher"}, "endTime": built_at,
                "description": "Land, build, audit and publish; the hash of every input is in manifest.json.",
                "object": [{"@id": source["@id"]} for source in sources], "result": [{"@id": "datamoat.duckdb"}],
            },
            {
                "@id": "#software", "@type": "SoftwareApplication", "url": {"@id": "README.md"}, "name": release.about["software"],
                "version": release.manifest["engine"], "softwareVersion": release.manifest["engine"],
                "license": {"@id": f"https://spdx.org/licenses/{release.about['software_licence']}"},
            },
            {
                "@id": f"https://spdx.org/licenses/{release.about['software_licence']}", "@type": "CreativeWork",
                "name": release.about["software_licence"],
            },
            *folders, *files, *sources, *publishers,
        ],
    }  # fmt: skip


def citation_file(release: Release) -> dict[str, Any]:
    """Return the Citation File Format 1.2.0 of this release."""
    return {
        "cff-version": "1.2.0",
        "message": release.about["message"],
        "title": release.title,
        "abstract": release.description,
        "type": "dataset",
        "authors": [{"name": release.about["publisher"]}],
        "version": release.manifest["build_id"],
        "date-released": release.released_on.isoformat(),
        "license": release.about["licence"]["id"],
        "keywords": release.about["keywords"],
        "identifiers": [{"type": "other", "value": release.release_id, "description": "The name of the release's folder"}],
    }


def credits_text(release: Release) -> str:
    """Return the credit line and terms of every source that something in the release comes from."""
    lines = [
        "# Whom to credit",
        "",
        f"The compilation is under {release.about['licence']['title']}: say “{release.citation}”",
        "",
        "It holds facts read from the sources below. Their own terms stand; give each its credit line.",
    ]
    for source in release.sources:
        lines += ["", f"## {source['title']}", "", f"- credit: {source['attribution'] or source['title']}"]
        lines += [
            f"- {label}: {source[key]}"
            for label, key in (("licence", "licence"), ("terms", "licence_url"), ("page", "url"))
            if source[key]
        ]
    return "\n".join(lines) + "\n"


def readme(release: Release) -> str:
    """Return the release's README: what it is, how to read and check it, and the data dictionary."""
    build = release.manifest
    marts = [table for table in release.tables if table.name.startswith("marts.")]
    lines = [
        f"# {release.title}",
        "",
        release.description,
        "",
        f"Release {release.release_id}, made {release.released_on}; build {build['build_id']}; inputs as of {build['as_of']}.",
        "",
        "## Caveats",
        "",
        *(f"- {note}" for note in release.about["notes"]),
        "",
        "## Read it",
        "",
        "- `datamoat.duckdb`: everything, with comments on every table and column (DuckDB 1.4 or later).",
        (
            "- `parquet/`: the same tables, one file each, with page checksums and their origin in the file's metadata;"
            " `meta_…` are the reasons: citations, assumptions, sources, lineage, audits."
        ),
        "- `draws/`: one row a draw; equal `draw` numbers are the same joint draw, so join on them before you compare.",
        (
            "- `csv/`: UTF-8, an empty cell is null, lists are JSON. A text that a spreadsheet could run, or that begins with an"
            " apostrophe, has one apostrophe put before it: drop one leading apostrophe to get the text back. Numbers are never"
            " marked. In a spreadsheet, import as UTF-8 and take text columns as text."
        ),
        (
            "- `catalogs/`: lineage of every column as OpenLineage events, dbt's `manifest.json` and `catalog.json` (put both into a"
            " project's `target/`; `dbt docs serve` shows every model), and one data contract (ODCS) for each mart."
        ),
        "",
        f'R, in one line: `arrow::read_parquet("{release.tables[0].parquet}")`.',
        "",
        "## Check it",
        "",
        (
            "`datamoat verify .` compares every byte, the rows of the three forms with one another, and the checksum with the register"
            " of releases. Without datamoat, `sha256sum -c SHA256SUMS` compares the bytes."
        ),
        "`datamoat verify . --rebuild`, in a checkout at the commit in `manifest.json`, builds it again and compares the rows.",
        "",
        "## Cite it",
        "",
        release.citation,
        "",
        "Credit lines of the sources: `LICENSES/ATTRIBUTION.md`.",
        "",
        "## Data dictionary",
    ]
    for table in marts:
        lines += ["", f"### {table.name}", "", table.description]
        if table.grain:
            lines += [
                "",
                f"One row for each {', '.join(f'`{column}`' for column in table.grain)}; {table.n_rows:,} rows in `{table.parquet}`.",
            ]
        lines += ["", "| column | type | unit | meaning |", "|---|---|---|---|"]
        for column, kind, unit, description, is_nullable in table.columns:
            text = " ".join(part for part in ((description or "").strip(), "May be null." if is_nullable else "") if part)
            lines.append(f"| `{column}` | {frictionless_type(kind)} | {unit or ''} | {text.replace('|', '&#124;')} |")
    return "\n".join(lines) + "\n"
