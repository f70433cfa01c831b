"""Score the forecasts of data/forecasts against models listed since, from the published tables alone.

Usage: python examples/score_forecasts.py [data/warehouse/datamoat.duckdb [data/forecasts]]

A forecast is about the first model that its company releases after the day of issue, on the same scale of the board. The log
score is that of Student's t at the published rating; more is better. The chance of a rating up to the one seen should be uniform.
"""

import sys
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
from scipy import stats

GIVEN = dict(enumerate(sys.argv))
PUBLISHED, ISSUED = GIVEN.get(1, "data/warehouse/datamoat.duckdb"), Path(GIVEN.get(2, "data/forecasts"))
SCORED = """
    select issued.*, entry.entry_name, entry.released_on, entry.rating
    from issued
    join marts.board_scale as scale on issued.scale_id = scale.scale_id and scale.valid_to is null
    join marts.moat_entry as entry on issued.board_id = entry.board_id and issued.company_id = entry.company_id
    where entry.as_of_kind = 'newest' and entry.released_on > ?
    qualify row_number() over (
        partition by issued.board_id, issued.company_id, issued.forecast_model order by entry.released_on, entry.rating desc, entry.entry_key
    ) = 1
    order by issued.board_id, issued.company_id, issued.forecast_model
"""


def score(con: duckdb.DuckDBPyConnection, issued: pd.DataFrame, issued_on: date) -> pd.DataFrame:
    """Return the forecasts whose model is listed by now, with log score and the chance of a rating up to the one seen."""
    con.register("issued", issued)
    found = con.execute(SCORED, [issued_on]).df()
    shape = (found["degrees_of_freedom"], found["forecast_mean"], found["forecast_scale"])
    return found.assign(log_score=stats.t.logpdf(found["rating"], *shape), pit=stats.t.cdf(found["rating"], *shape))


def main() -> None:
    """Print, for each day of issue, how each kind of knowledge has predicted since."""
    with duckdb.connect() as con:
        con.execute(f"attach '{PUBLISHED}' as published (read_only)")
        con.execute("use published")
        for path in sorted(ISSUED.glob("*.csv")):
            issued = pd.read_csv(path)
            found = score(con, issued, date.fromisoformat(path.stem))
            print(f"issued {path.stem}: {len(found)} of {len(issued)} forecasts are about a model that is listed by now")
            for name, rows in found.groupby("forecast_model"):
                score_of, pit = rows["log_score"].mean(), rows["pit"].median()
                print(f"  {name}: mean log score {score_of:.3f}, median chance of a rating so low {pit:.2f}")


if __name__ == "__main__":
    main()
