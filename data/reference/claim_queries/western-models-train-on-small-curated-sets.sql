with stated as (
    select distinct
        disclosed.stage_kind,
        disclosed.company_id,
        disclosed.value,
        countries.country
    from marts.training_disclosure as disclosed
    inner join (select distinct company_id, country from marts.company_moat) as countries
        on disclosed.company_id = countries.company_id
    where
        disclosed.quantity = 'hours'
        and disclosed.value is not null
        and disclosed.verification <> 'UNVERIFIED'
        and disclosed.model_kind = 'video_generator'
),

sides as (
    select
        stage_kind,
        count(distinct company_id) filter (where country = 'US') as n_american,
        count(distinct company_id) filter (where country = 'CN') as n_chinese,
        median(value) filter (where country = 'US') as american,
        median(value) filter (where country = 'CN') as chinese
    from stated
    group by stage_kind
),

seen as (
    select
        count(*) filter (where n_american >= 3 and n_chinese >= 3) as n_testable,
        count(*) filter (where n_american >= 3 and n_chinese >= 3 and american < chinese) as n_smaller,
        string_agg(stage_kind || ': ' || n_american || ' American (median ' || coalesce(round(american / 1e6, 2)::varchar, 'none')
            || ' million hours), ' || n_chinese || ' Chinese (' || coalesce(round(chinese / 1e6, 2)::varchar, 'none') || ')', '; '
            order by stage_kind) as disclosed
    from sides
)

select
    'no_board' as board_id,
    (select max(captured_on) from marts.board_status) as captured_on,
    case
        when n_testable = 0 then 'not_testable'
        when n_smaller = n_testable then 'true'
        when n_smaller = 0 then 'false'
        else 'cannot_tell'
    end as verdict,
    'disclosed by companies on a board: ' || coalesce(disclosed, 'nothing') as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from seen
