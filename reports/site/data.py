"""The files that the scripts of the site read: leaders by day, and the draws and entries behind the what-if.

`whatif.bin` holds 64-bit draws of assumptions, then 32-bit draws of platforms' hours (the published values are 32-bit), in the order of
`whatif.json`, which also holds the entries of the newest captures as `moat.link` reads them.
"""

import json
from typing import Any

import numpy as np

from moat.link.tables import read_field, read_hours

LEADERS = """
    select board_id, captured_on, leader_entry_name, leader_company_id, round(leader_rating, 2) as rating, status from marts.board_status
    where leader_entry_name is not null order by board_id, captured_on
"""
ENTRIES = "from marts.moat_entry where as_of_kind = 'newest' order by board_id, entry_key"
DRAWS = "select company_id, month, draw, usable_hours, short_usable_hours from marts.company_moat_draws"
KNOWN = "select distinct company_id, month::varchar from marts.company_moat_draws order by 1, 2"
OWNED = """
    select p.company_id, p.month::varchar as month, p.platform_id, p.owned_part, p.is_in_totals, p.is_short, p.scope
    from marts.company_platform as p
    where p.month = (select max(month) from marts.company_platform) or (p.company_id, p.month) in
        (select (company_id, month) from marts.company_moat_draws)
    order by 1, 2, 3
"""
POOLS = """
    select company_id, month::varchar, disclosed_pool_hours from marts.company_volume where scenario_id = 'baseline' and disclosed_pool_hours > 0
        and (month = (select max(month) from marts.company_volume) or (company_id, month) in (select (company_id, month) from marts.company_moat_draws))
    order by 1, 2
"""
PLATFORMS = "select platform_id, min(platform_name) as name from marts.platform_volume group by platform_id order by 1"
NAMES = "select company_id, min(company_name) as name from marts.company_volume group by company_id order by 1"
KNOBS = """
    select a.name, a.p05, a.p50, a.p95, a.unit, a.distribution, a.reason from meta.assumptions as a
    where a.name in (select assumption_name from marts.assumption_draws) and a.distribution <> 'normal' order by a.name
"""


def files(con: Any) -> dict[str, bytes]:
    """Return the files by name."""
    leaders = [
        [board, day.isoformat(), entry, company, rating, status]
        for board, day, entry, company, rating, status in con.sql(LEADERS).fetchall()
    ]
    owned = _records(con, OWNED)
    assumptions = con.sql(
        "select assumption_name, scope, list(assumption_value order by draw) as v from marts.assumption_draws group by 1, 2 order by 1, 2"
    ).fetchall()
    pairs = sorted({(row["platform_id"], row["month"]) for row in owned})
    public_hours = {
        (platform, str(month)): values
        for platform, month, values in con.sql(
            "select platform_id, month, list(stock_hours order by draw) from marts.platform_volume_draws group by 1, 2"
        ).fetchall()
        if (platform, str(month)) in set(pairs)
    }
    kept = [pair for pair in pairs if pair in public_hours]
    body = np.array([values for *_, values in assumptions], dtype="<f8").tobytes()
    body += np.array([public_hours[pair] for pair in kept], dtype="<f4").tobytes()
    panel = con.sql(ENTRIES).pl()
    field = read_field(panel, read_hours(con.sql(DRAWS).pl()))
    panel, field = (
        panel.filter(field.has_hours),
        field.only(field.has_hours),
    )  # the questions of volume leave out owners of unknown hours
    owner = panel["company_id"].to_list()
    about = {
        "n_draws": len(assumptions[0][2]),
        "assumptions": [[name, scope] for name, scope, _ in assumptions],
        "public_hours": [list(pair) for pair in kept],
        "owned": [row for row in owned if (row["platform_id"], row["month"]) in public_hours],
        "pools": [list(row) for row in con.sql(POOLS).fetchall()],
        "known": [list(row) for row in con.sql(KNOWN).fetchall()],
        "month": max(row["month"] for row in owned),
        "companies": dict(con.sql(NAMES).fetchall()),
        "platforms": dict(con.sql(PLATFORMS).fetchall()),
        "knobs": _records(con, KNOBS),
        "entries": {
            "company": field.groups.company.tolist(), "model": field.groups.model.tolist(), "board": field.groups.spread.tolist(),
            "rating": field.rating.tolist(), "se": field.se.tolist(), "base": np.column_stack([field.base, field.owns]).tolist(),
            "owner": [name if owns else None for name, owns in zip(owner, panel["owns_platform"].to_list(), strict=True)],
            "month": [str(month) for month in panel["volume_month"].to_list()],
        },
    }  # fmt: skip
    return {
        "leaders.json": json.dumps(leaders, ensure_ascii=False, separators=(",", ":")).encode(),
        "whatif.json": json.dumps(about, ensure_ascii=False, separators=(",", ":")).encode(),
        "whatif.bin": body,
    }


def _records(con: Any, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    relation = con.sql(sql)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
