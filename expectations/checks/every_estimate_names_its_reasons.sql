/*---
description: No row of a mart that carries reasons has none; interactions and inputs too small to list have none of their own, and a declared event states its reason in its title.
severity: critical
---*/
select
    'marts.assumption_draws' as table_name,
    count(*) as n_rows
from marts.assumption_draws
where len(assumption_ids) = 0
having count(*) > 0
union all
select
    'marts.company_moat' as table_name,
    count(*) as n_rows
from marts.company_moat
where len(assumption_ids) + len(citation_ids) = 0
having count(*) > 0
union all
select
    'marts.company_platform' as table_name,
    count(*) as n_rows
from marts.company_platform
where len(assumption_ids) + len(citation_ids) = 0
having count(*) > 0
union all
select
    'marts.company_volume' as table_name,
    count(*) as n_rows
from marts.company_volume
where len(assumption_ids) + len(citation_ids) = 0
having count(*) > 0
union all
select
    'marts.input_importance' as table_name,
    count(*) as n_rows
from marts.input_importance
where
    len(assumption_ids) + len(citation_ids) = 0
    and input_kind not in ('interaction', 'remainder')
    and input_title not like 'Declared: %'
having count(*) > 0
union all
select
    'marts.leaderboard' as table_name,
    count(*) as n_rows
from marts.leaderboard
where len(citation_ids) = 0
having count(*) > 0
union all
select
    'marts.moat_answer' as table_name,
    count(*) as n_rows
from marts.moat_answer
where len(assumption_ids) + len(citation_ids) = 0
having count(*) > 0
union all
select
    'marts.model_release' as table_name,
    count(*) as n_rows
from marts.model_release
where len(citation_ids) = 0
having count(*) > 0
union all
select
    'marts.platform_volume' as table_name,
    count(*) as n_rows
from marts.platform_volume
where len(assumption_ids) + len(citation_ids) = 0
having count(*) > 0
union all
select
    'marts.training_disclosure' as table_name,
    count(*) as n_rows
from marts.training_disclosure
where len(assumption_ids) + len(citation_ids) = 0
having count(*) > 0
union all
select
    'marts.model_score' as table_name,
    count(*) as n_rows
from marts.model_score
where len(citation_ids) + len(assumption_ids) = 0
having count(*) > 0
union all
select
    'marts.moat_effect' as table_name,
    count(*) as n_rows
from marts.moat_effect
where len(assumption_ids) = 0 or len(citation_ids) = 0
having count(*) > 0
union all
select
    'marts.forecast' as table_name,
    count(*) as n_rows
from marts.forecast
where len(citation_ids) = 0
having count(*) > 0
union all
select
    'marts.dose_pair' as table_name,
    count(*) as n_rows
from marts.dose_pair
where len(citation_ids) = 0
having count(*) > 0
