"""Read the published file with DuckDB, Polars and pandas: who ranks where, with what volume, and how sure that is.

Run after `make run`: `.venv/bin/python examples/read.py [data/warehouse/datamoat.duckdb]`.
"""

import sys
from pathlib import Path

import duckdb

PUBLISHED = Path(sys.argv[1] if len(sys.argv) > 1 else "data/warehouse/datamoat.duckdb")

with duckdb.connect(str(PUBLISHED), read_only=True) as con:
    # DuckDB → Polars: the companies of one board on one day.
    board = con.sql(
        "from marts.company_moat where board_id = 'aa_text_to_video' and captured_on = date '2026-05-14' and scenario_id = 'baseline'"
    ).pl()
    print(board.select("company_rank", "company_name", "best_rating", "usable_hours_p50").sort("company_rank").head(5))

    # Draws: equal draw numbers are one joint draw, so compare within a draw and count.
    draws = con.sql(
        "select platform_id, draw, uploads_per_day, upload_hours_per_day from marts.platform_volume_draws"
        " where platform_id in ('tiktok', 'youtube') and month = date '2026-05-01'"
    ).pl()
    hours = draws.pivot(on="platform_id", index="draw", values="upload_hours_per_day")
    print(f"TikTok adds more hours than YouTube in {(hours['tiktok'] > hours['youtube']).mean():.0%} of joint draws.")

    # DuckDB → pandas: the same call with .df().
    frame = con.sql(
        "select platform_name, upload_hours_per_day_p50 from marts.platform_volume"
        " where month = date '2026-05-01' and scenario_id = 'baseline' and is_in_totals order by 2 desc limit 5"
    ).df()
    print(frame.to_string(index=False))

    # Every row names its pages and assumptions; both resolve in the file.
    pages = con.sql(
        "select c.citation_id, c.title, c.url from (select unnest(citation_ids) as citation_id from marts.platform_volume"
        " where platform_id = 'kuaishou' and month = date '2026-05-01' and scenario_id = 'baseline') as used"
        " join meta.citations as c using (citation_id) order by 1 limit 3"
    ).fetchall()
    for citation_id, title, url in pages:
        print(citation_id, title, url)
