"""Read every `source.yml` strictly into frozen values; light enough for a DAG file to import."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from datamoat.errors import ContentError, UsageError
from datamoat.project.check_models import AnomalyChecks, Frozen, Pattern, Sentence, Strict
from datamoat.project.column_types import check_type
from datamoat.project.part import Part
from datamoat.project.texts import unreadable
from datamoat.project.yaml_files import UniqueKeys

ID = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
REFERENCE = "reference"  # facts of our own: they come in through data/reference, not through a source.yml
Every = Literal["hourly", "daily", "weekly", "monthly", "quarterly", "half-yearly", "never"]
Kind = Literal["platform-statistics", "model-releases", "leaderboards", "streamed"]  # the tag of its schedule
ColumnType = Annotated[str, AfterValidator(check_type)]
STAMPS = {"_snapshot_id": "VARCHAR", "_request": "VARCHAR", "_captured_on": "DATE"}
EVERY_DAYS = {"hourly": 1, "daily": 1, "weekly": 7, "monthly": 31, "quarterly": 92, "half-yearly": 184, "never": None}


def _slug(text: str) -> str:
    if not ID.fullmatch(text):
        message = f"{text!r} is not lower-case words joined by single underscores"
        raise ValueError(message)
    return text


Slug = Annotated[str, AfterValidator(_slug)]


class Publisher(Strict):
    """Who publishes the data product."""

    name: str
    kind: str
    url: str


class Licence(Strict):
    """The terms, what they allow and on what ground we say so, and the line that readers of a copy must see."""

    name: str
    url: str
    attribution: str | None = None
    may_plot: Literal["yes", "no", "not_stated"] = "not_stated"
    may_redistribute: Literal["yes", "no", "not_stated"] = "not_stated"
    must_credit: Literal["yes", "no", "not_stated"] = "yes"
    terms_basis: str = "The terms were not read for this."


class Key(Strict):
    """Where an access key comes from and the header it goes into; the key itself is never written anywhere."""

    env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    header: str


class Rows(Strict):
    """How many rows one vintage may have: fewer than `min` or more than `max` is suspicious."""

    min: Annotated[int, Field(ge=0)] = 1
    max: Annotated[int, Field(gt=0)] | None = None
    reason: Sentence | None = None


class Paging(Strict):
    """How a response shows that it has further pages, as dotted paths into its JSON."""

    param: str
    number: str
    total: str
    more: str
    most: Annotated[int, Field(gt=0, le=50)] = 10


class Request(Strict):
    """One request of a source.

    Attributes:
        url: What is fetched (protocol `http`); `otherwise` is fetched when it responds 403, 404 or 410.
        page: The page a link is looked for on (protocol `http_pages`); `link` is the pattern of its address; of
            several, the one whose group `newest` sorts last is taken.
        dataset: The Hub's dataset, and `file` the path inside it (protocol `huggingface`).
        rows: Bounds of this request where they differ from the table's.
    """

    about: str
    url: str | None = None
    otherwise: tuple[str, ...] = ()
    page: str | None = None
    link: Pattern | None = None
    dataset: str | None = None
    file: str | None = None
    paging: Paging | None = None
    rows: Rows | None = None
    live: bool = True


class Fetch(Strict):
    """How a source is fetched.

    Attributes:
        protocol: `http`, `http_pages`, `huggingface`, or `inbox` (only what a person brings in).
        every: How often it is worth asking, and also after how long silence is reported.
        hosts: The only hosts that may be contacted, on the first request and after every redirect; a leading dot
            admits the subdomains.
        max_megabytes: Cap on the body as decompressed.
        max_seconds: Cap on one answer, from connecting to the last byte.
    """

    protocol: Literal["http", "http_pages", "huggingface", "inbox"]
    every: Every
    hosts: tuple[str, ...] = ()
    key: Key | None = None
    max_megabytes: Annotated[float, Field(gt=0, le=2000)] = 20.0
    max_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    requests: Annotated[Mapping[Slug, Request], Field(min_length=1), Frozen]

    @model_validator(mode="after")
    def _requests_fit_the_protocol(self) -> "Fetch":
        needs = {"http": ("url",), "http_pages": ("page", "link"), "huggingface": ("dataset", "file"), "inbox": ()}
        for name, request in self.requests.items():
            if not request.live:
                continue
            missing = [field for field in needs[self.protocol] if getattr(request, field) is None]
            if missing:
                message = f"request {name!r} needs {', '.join(missing)} for protocol {self.protocol}"
                raise ValueError(message)
            for url in filter(None, (request.url, request.page, *request.otherwise)):
                parts = urlsplit(url)
                if parts.scheme != "https" or not host_allowed(parts.hostname or "", self.hosts):
                    message = f"request {name!r} asks {url}: not https, or its host is not under `hosts`"
                    raise ValueError(message)
        return self


class Table(Strict):
    """One table a parser yields.

    Attributes:
        columns: Name to DuckDB type, in the publisher's words; the parser must yield exactly these.
        grain: What one row is, within one snapshot.
        required: Columns that may not be null.
        known: The column that dates when a row became known.
        repeat: Whether an unchanged vintage is a new observation (a ranking of that day) or the same table again.
    """

    about: str
    columns: Annotated[Mapping[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], ColumnType], Frozen]
    grain: tuple[str, ...]
    required: tuple[str, ...] = ()
    rows: Rows
    known: str = "_captured_on"
    repeat: bool = True
    anomaly_checks: AnomalyChecks

    @model_validator(mode="after")
    def _columns_exist(self) -> "Table":
        score = self.anomaly_checks.score
        named = [*self.grain, *self.required, *self.anomaly_checks.key]
        named += [
            name
            for name in (
                self.anomaly_checks.label,
                self.anomaly_checks.newest_of,
                score and score.column,
                score and score.votes,
                score and score.rank,
            )
            if name
        ]
        named += [
            name
            for measure in self.anomaly_checks.measures
            for name in (measure.column, measure.by, measure.step and measure.step.along)
            if name
        ] + [when.column for when in self.anomaly_checks.dates]
        checks = self.anomaly_checks
        named += [flag.column for flag in checks.flags] + [match.column for match in checks.matches]
        named += [name for steady in checks.steady for name in steady.columns] + [name for name in checks.nulls if name != "*"]
        named += [checks.route.column, *checks.route.columns] if checks.route else []
        matched = {None, *(match.column for match in checks.matches)}
        stray = {*(one.among for one in checks.filled), *(one.among for one in checks.steady)} - matched
        if stray:
            message = f"among is {', '.join(map(str, stray))}, which is no column of matches"
            raise ValueError(message)
        unknown = sorted({name for name in named if name not in self.columns})
        if unknown:
            message = f"{unknown} are not among its columns {list(self.columns)}"
            raise ValueError(message)
        if self.known not in self.columns and self.known not in STAMPS:
            message = f"known is {self.known!r}, which is not a column"
            raise ValueError(message)
        return self

    @property
    def all_columns(self) -> dict[str, str]:
        """The declared columns and the three stamps of the engine."""
        return {**self.columns, **STAMPS}


class Source(Strict):
    """One publisher's one data product."""

    id: Slug
    folder: Path
    title: str
    kind: Kind
    publisher: Publisher
    licence: Licence
    about: str
    gaps: tuple[str, ...]
    fetch: Fetch
    tables: Annotated[Mapping[Slug, Table], Frozen] = Field(default_factory=dict)
    part: Part | None = None

    @model_validator(mode="after")
    def _is_streamed_or_has_tables(self) -> "Source":
        if (self.part is not None) != (self.kind == "streamed") or bool(self.tables) == (self.kind == "streamed"):
            message = "a source of kind streamed has `part` and no `tables`; every other has `tables` and no `part`"
            raise ValueError(message)
        return self

    @property
    def path(self) -> Path:
        """The file this was read from."""
        return self.folder / "source.yml"

    @property
    def parser(self) -> Path:
        """The file with one function for each table."""
        return self.folder / "parse.py"

    @property
    def every(self) -> str:
        """How often the source is worth asking."""
        return self.fetch.every

    @property
    def missing(self) -> tuple[str, ...]:
        """What a complete source folder has and this one has not."""
        definition = "counts.sql" if self.part is not None else "parse.py"
        absent = [name for name in (definition, "sample") if not (self.folder / name).exists()]
        absent += [f"stg_{self.id}__*.sql"] if not any(self.folder.glob(f"stg_{self.id}__*.sql")) else []
        return tuple(absent)

    def request(self, name: str) -> Request:
        """Return a request by name.

        Raises:
            UsageError: There is no such request.
        """
        if name not in self.fetch.requests:
            raise UsageError(
                f"{self.id} has no request {name!r}", str(self.path), f"take one of: {', '.join(self.fetch.requests)}."
            )
        return self.fetch.requests[name]


def host_allowed(host: str, hosts: tuple[str, ...]) -> bool:
    """Tell whether a host is on a list; an entry with a leading dot admits subdomains only."""
    host = host.lower().rstrip(".")
    return any(host == entry or (entry.startswith(".") and host.endswith(entry)) for entry in hosts)


def read_source(folder: Path) -> Source:
    """Return one source.

    Raises:
        ContentError: The file is not YAML, has a key we do not know, lacks one, or contradicts itself.
    """
    path = folder / "source.yml"
    try:
        written = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeys)  # noqa: S506  (a subclass of SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as failure:
        raise ContentError(
            f"not readable as YAML: {' '.join(unreadable(failure).split())}", str(path), "fix the file."
        ) from failure
    if not isinstance(written, dict):
        raise ContentError("a source.yml is a mapping", str(path), "start from `datamoat new-source`.")
    try:
        return Source.model_validate({**_tuples(written), "id": folder.name, "folder": folder})
    except ValidationError as failure:
        first = min(
            failure.errors(), key=lambda error: error["type"] != "extra_forbidden"
        )  # a misspelt key explains a missing one
        where = ".".join(str(part) for part in first["loc"])
        wrong = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
        raise ContentError(
            f"{where or folder.name}: {wrong}", str(path), "fix it, or compare with another source's file."
        ) from failure


def read_sources(content: Path) -> tuple[Source, ...]:
    """Return every live source under `transforms/staging/`, in order of id.

    Raises:
        ContentError: One of the files is malformed.
    """
    folders = sorted(path.parent for path in (content / "transforms" / "staging").glob("*/source.yml"))
    return tuple(read_source(folder) for folder in folders if folder.name != REFERENCE)


def find_source(content: Path, source_id: str) -> Source:
    """Return one source by id; the id is only compared, never made into a path.

    Raises:
        UsageError: There is no such source.
    """
    sources = {source.id: source for source in read_sources(content)}
    if source_id not in sources:
        raise UsageError(
            f"no source is called {source_id!r}", "transforms/staging", f"take one of: {', '.join(sources) or 'none yet'}."
        )
    return sources[source_id]


def _tuples(value: Any) -> Any:  # noqa: ANN401  (whatever YAML holds)
    """Turn lists into tuples, which strict frozen models ask for."""
    if isinstance(value, dict):
        return {key: _tuples(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(entry) for entry in value)
    return value
