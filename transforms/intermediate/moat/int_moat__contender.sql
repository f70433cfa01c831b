/*---
description: >
  Which model stands for a company on each complete board, three ways: its best ranked, its best of those released in the twelve months before, and the mean of all it has there.
  Ratings carry a standard error: the published 95 % interval over 2 x 1.96; without an interval, from votes; without votes, or for the entry that holds the scale, the board's median.
  A release day that neither the register nor the board states is taken as the day of the board.
grain: [board_id, captured_on, company_id, representative]
nullable: [model_id, rating_low, rating_high, is_open_weights, has_audio, resolution_lines]
---*/

with votes as (
    select p50 as points_per_root_vote
    from staging.stg_reference__assumptions
    where name = 'rating_se_per_root_vote'
),

months as (
    select
        min(month) as first_month,
        max(month) as last_month
    from intermediate.int_company__volume_quantiles
),

ranked as (
    select
        e.board_id,
        e.captured_on,
        e.company_id,
        e.entry_key,
        e.entry_name,
        e.model_id,
        e.scale_id,
        e.rating,
        e.rating_low,
        e.rating_high,
        e.rank,
        e.has_audio,
        e.company_id like 'unmatched:%' as is_unmatched,
        case
            when e.rating_high > e.rating_low then (e.rating_high - e.rating_low) / (2 * 1.96)
            when e.rating_low is null and e.n_votes > 0 then v.points_per_root_vote / sqrt(e.n_votes)
        end as stated_se,
        case
            when e.released_on is not null then 'register'
            when length(s.released_as_stated) >= 7 then 'board'
            else 'board_day'
        end as dated_by,
        least(
            coalesce(
                e.released_on,
                case length(s.released_as_stated)
                    when 10 then s.released_as_stated::date
                    when 7 then (s.released_as_stated || '-01')::date
                end,
                e.captured_on
            ),
            e.captured_on
        ) as released_on,
        m.is_open_weights,
        coalesce(
            nullif(regexp_extract(lower(e.variant), '([0-9]{3,4})p', 1), '')::integer,
            nullif(regexp_extract(lower(m.max_resolution), '([0-9]{3,4})p', 1), '')::integer,
            case when lower(coalesce(e.variant, m.max_resolution)) like '%4k%' then 2160 end,
            case when lower(coalesce(e.variant, m.max_resolution)) like '%2k%' then 1440 end,
            least(
                nullif(regexp_extract(lower(m.max_resolution), '([0-9]{3,4})x([0-9]{3,4})', 1), '')::integer,
                nullif(regexp_extract(lower(m.max_resolution), '([0-9]{3,4})x([0-9]{3,4})', 2), '')::integer
            )
        ) as resolution_lines,
        list_sort(list_distinct(list_concat(e.citation_ids, coalesce(r.citation_ids, []::varchar[])))) as citation_ids
    from intermediate.int_board__entry as e
    cross join votes as v
    inner join intermediate.int_board__capture_entry as s on e.capture_id = s.capture_id and e.entry_key = s.entry_key
    left join staging.stg_reference__models as m on e.model_id = m.model_id
    left join intermediate.int_model__release as r on e.model_id = r.model_id
    where e.capture_status = 'ok' and e.is_ranked and e.rating is not null
),

measured as (
    select
        *,
        coalesce(stated_se, median(stated_se) over (partition by board_id, captured_on), 0) as rating_se,
        count(*) over (partition by board_id, captured_on)::integer as n_ranked,
        (count(*) filter (where is_unmatched) over (partition by board_id, captured_on))::integer
            as n_unmatched_entries,
        count(*) over (partition by board_id, captured_on, company_id)::integer as n_entries
    from ranked
),

best as (
    select
        'best' as representative,
        *
    from measured
    where not is_unmatched
    qualify
        row_number()
            over (partition by board_id, captured_on, company_id order by rating desc, rating_se asc, entry_key asc)
        = 1
    union all
    select
        'best_of_last_12_months' as representative,
        *
    from measured
    where not is_unmatched and released_on > captured_on - interval 12 month
    qualify
        row_number()
            over (partition by board_id, captured_on, company_id order by rating desc, rating_se asc, entry_key asc)
        = 1
),

means as (
    select
        board_id,
        captured_on,
        company_id,
        round(sum(rating::decimal(18, 6)) / count(*), 6)::double as mean_rating,
        round(sqrt(sum((rating_se * rating_se)::decimal(18, 6))::double) / count(*), 6) as mean_se
    from measured
    where not is_unmatched
    group by board_id, captured_on, company_id
),

standing as (
    select * from best
    union all
    select
        best.* replace (
            'mean' as representative,
            means.mean_rating as rating,
            means.mean_se as rating_se,
            null as rating_low,
            null as rating_high
        )
    from best
    inner join means using (board_id, captured_on, company_id)
    where best.representative = 'best'
)

select
    standing.board_id,
    standing.captured_on,
    standing.company_id,
    standing.representative,
    standing.entry_key,
    standing.entry_name,
    standing.model_id,
    standing.scale_id,
    standing.rating,
    standing.rating_low,
    standing.rating_high,
    round(standing.rating_se, 6) as rating_se,
    standing.rank,
    (rank() over (
        partition by standing.board_id, standing.captured_on, standing.representative
        order by standing.rating desc
    ))::integer as company_rank,
    standing.n_entries,
    standing.n_ranked,
    standing.n_unmatched_entries,
    standing.released_on,
    standing.dated_by,
    least(
        greatest(date_trunc('month', standing.released_on)::date, months.first_month), months.last_month
    ) as volume_month,
    standing.is_open_weights,
    standing.has_audio,
    standing.resolution_lines,
    standing.citation_ids
from standing
cross join months
