/*---
description: >
  The evidence behind one number: why(table_name, column_name, row_key), with the key as 'company_id=kuaishou; month=2026-05-01'.
  One row for each page, statistic and assumption it rests on, with the value as stated, the address, the day it was read, how
  it was verified, the hash of the page where one was kept, and its share of the variance where that was computed. A table,
  column or row that does not exist is an error.
---*/
create or replace macro marts.why(table_name, column_name, row_key) as table
with chosen as (
    select *
    from query(
        'select null::varchar as company_id, null::varchar as platform_id, null::varchar as board_id, null::varchar as entry_key,'
        || ' null::date as captured_on, null::date as month, null::date as previous_on, null::varchar as company_a,'
        || ' null::varchar as company_b, null::varchar as board_a, null::varchar as board_b, null::varchar as fact_id,'
        || ' null::varchar as claim_id, null::varchar as citation_id, null::varchar as assumption_id,'
        || ' null::varchar as figure_as_stated, null::varchar as evidence, null::varchar[] as citation_ids, null::varchar[] as assumption_ids where false'
        || ' union all by name select *, "' || replace(column_name, '"', '""') || '" as asked from marts."' || replace(table_name, '"', '""')
        || '" where true ' || regexp_replace(
            replace(row_key, '''', ''''''), '\s*([A-Za-z0-9_]+)\s*=\s*([^;]*?)\s*(;|$)', ' and "\1"::varchar = ''\2''', 'g'
        )
    )
),

keys as (
    select
        *,
        len(coalesce(citation_ids, [])) > 0 or len(coalesce(assumption_ids, [])) > 0
        or coalesce(citation_id, assumption_id) is not null as has_own
    from chosen
),

own_ids as (
    select
        unnest(coalesce(citation_ids, []) || coalesce([citation_id], [])) as id,
        figure_as_stated
    from keys
    union all
    select
        unnest(coalesce(assumption_ids, []) || coalesce([assumption_id], [])) as id,
        null as figure_as_stated
    from keys
),

-- A row without reasons of its own borrows those of its entry, of its boards' captures, of its companies, of its platform's
-- month, or of the statistic it is about.
borrowed_ids as (
    select unnest(b.citation_ids) as id
    from marts.leaderboard as b
    inner join keys as k
        on not k.has_own and b.board_id = k.board_id and b.entry_key = k.entry_key and b.captured_on in (k.captured_on, k.previous_on)
    union all
    select unnest(b.citation_ids) as id
    from marts.board_status as b
    inner join keys as k
        on not k.has_own and b.board_id = k.board_id and (k.captured_on is null or b.captured_on in (k.captured_on, k.previous_on))
    union all
    select unnest(read_last.citation_ids) as id
    from (
        select
            b.board_id,
            arg_max(b.citation_ids, b.captured_on) as citation_ids
        from marts.board_status as b
        inner join keys as k on b.board_id in (k.board_a, k.board_b) and k.captured_on >= b.captured_on
        where b.status in ('ok', 'unchanged')
        group by b.board_id
    ) as read_last
    union all
    select unnest(v.citation_ids || v.assumption_ids) as id
    from marts.company_volume as v
    inner join keys as k
        on
            not k.has_own and v.company_id in (k.company_id, k.company_a, k.company_b) and v.month = k.month
            and v.scenario_id = 'baseline'
    union all
    select unnest(v.citation_ids || v.assumption_ids) as id
    from marts.platform_volume as v
    inner join keys as k on not k.has_own and v.platform_id = k.platform_id and v.month = k.month and v.scenario_id = 'baseline'
    union all
    select o.citation_id as id
    from marts.platform_observation as o
    inner join keys as k on o.fact_id = k.fact_id
),

ids as (
    select
        id,
        max(figure_as_stated) as figure_as_stated
    from (select * from own_ids union all select id, null as figure_as_stated from borrowed_ids)
    where id is not null
    group by id
),

shares as (
    select
        i.input_id,
        i.input_kind,
        i.input_title,
        i.fact_id,
        i.assumption_id,
        i.variance_share
    from marts.input_importance as i
    inner join (select distinct company_id from keys) as k on i.company_id = k.company_id
    where i.measure = regexp_replace(column_name, '_p(05|50|95)$', '')
),

assumptions as (
    select
        1 as depth,
        'assumption' as kind,
        a.assumption_id as id,
        null::varchar as parent_id,
        (select sum(s.variance_share) from shares as s where s.assumption_id = a.assumption_id and s.fact_id is null) as variance_share,
        a.description || case
            when a.p50 is not null then ': ' || a.p50 || ' (' || a.p05 || ' to ' || a.p95 || ') ' || coalesce(a.unit, '')
            else ''
        end as evidence,
        a.reason as detail,
        a.basis as verification,
        null::varchar as url,
        null::varchar as published_on,
        null::varchar as read_on,
        null::varchar as sha256
    from ids
    inner join meta.assumptions as a on ids.id = a.assumption_id
),

cited as (
    select
        c.citation_id,
        c.title || coalesce(' (' || c.publisher || ')', '') as title,
        c.url,
        c.published_on::varchar as published_on,
        c.read_on::varchar as read_on,
        c.verification,
        c.page_sha256 as sha256,
        ids.figure_as_stated
    from ids
    inner join meta.citations as c on ids.id = c.citation_id
),

facts as (
    select
        1 as depth,
        'statistic' as kind,
        o.fact_id as id,
        c.citation_id as parent_id,
        (select sum(s.variance_share) from shares as s where s.fact_id = o.fact_id) as variance_share,
        o.metric || ' of ' || o.platform_id || ', ' || o.period_start_on || ' to ' || o.period_end_on || ': “' || o.figure_as_stated || '”' as evidence,
        c.title as detail,
        o.verification,
        c.url,
        c.published_on,
        c.read_on,
        c.sha256
    from cited as c
    inner join marts.platform_observation as o on c.citation_id = o.citation_id and o.is_used
    where table_name != 'leaderboard' and not exists (select 1 from keys as k where k.fact_id <> o.fact_id)
),

pages as (
    select
        1 as depth,
        'page' as kind,
        c.citation_id as id,
        null::varchar as parent_id,
        null::double as variance_share,
        c.title || coalesce(': “' || c.figure_as_stated || '”', '') as evidence,
        null::varchar as detail,
        c.verification,
        c.url,
        c.published_on,
        c.read_on,
        c.sha256
    from cited as c
    where c.citation_id not in (select f.parent_id from facts as f)
),

pages_of_assumptions as (
    select
        2 as depth,
        'page' as kind,
        c.citation_id as id,
        a.assumption_id as parent_id,
        null::double as variance_share,
        c.title || coalesce(' (' || c.publisher || ')', '') as evidence,
        null::varchar as detail,
        c.verification,
        c.url,
        c.published_on::varchar as published_on,
        c.read_on::varchar as read_on,
        c.page_sha256 as sha256
    from (
        select
            m.assumption_id,
            unnest(string_split(m.citation_ids, ';')) as citation_id
        from meta.assumptions as m
        inner join ids on m.assumption_id = ids.id
    ) as a
    inner join meta.citations as c on a.citation_id = c.citation_id
),

-- A claim is decided by a query to other tables; they are named and can be traced in turn.
questions as (
    select
        1 as depth,
        'query' as kind,
        q.claim_id as id,
        null::varchar as parent_id,
        null::double as variance_share,
        coalesce(k.evidence, q.claim_text) as evidence,
        'Decided by the query in marts.claim.sql, which reads '
        || array_to_string(list_sort(list_distinct(regexp_extract_all(q.sql, 'marts\.[a-z_]+'))), ', ') || '.' as detail,
        null::varchar as verification,
        null::varchar as url,
        null::varchar as published_on,
        null::varchar as read_on,
        null::varchar as sha256
    from marts.claim as q
    inner join keys as k on q.claim_id = k.claim_id
),

others as (
    select
        1 as depth,
        'input' as kind,
        s.input_id as id,
        null::varchar as parent_id,
        s.variance_share,
        s.input_title as evidence,
        null::varchar as detail,
        null::varchar as verification,
        null::varchar as url,
        null::varchar as published_on,
        null::varchar as read_on,
        null::varchar as sha256
    from shares as s
    where
        not exists (select 1 from assumptions as a where a.id = s.assumption_id and s.fact_id is null)
        and not exists (select 1 from facts as f where f.id = s.fact_id)
)

select *
from (
    select * from assumptions
    union all
    select * from facts
    union all
    select * from pages
    union all
    select * from pages_of_assumptions
    union all
    select * from questions
    union all
    select * from others
)
where
    case
        when exists (select 1 from keys) then true
        else error('no row of ' || table_name || ' has ' || row_key || ': name columns of its key')
    end
order by coalesce(variance_share, -1) desc, kind, id, parent_id
