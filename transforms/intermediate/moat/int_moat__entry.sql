/*---
description: >
  Every ranked entry of every complete capture whose company is known, with what is known of it at its release.
  Ratings carry a standard error: the published 95 % interval over 2 x 1.96; without an interval, from votes; without votes, or for the entry that anchors the scale, the board's median.
  A release day that neither the register nor the board states is taken as the day of the board.
grain: [board_id, captured_on, entry_key]
nullable: [model_id, rating_low, rating_high, has_audio, resolution_lines]
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
        lower(concat_ws(' ', e.entry_name, e.variant)) as stated_name,
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
        coalesce(m.is_open_weights, s.is_open_weights, false) as is_open_weights,
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
        company_id like 'unmatched:%' as is_unmatched,
        coalesce(stated_se, median(stated_se) over (partition by board_id, captured_on), 0) as rating_se,
        count(*) over (partition by board_id, captured_on)::integer as n_ranked,
        (count(*) filter (where company_id like 'unmatched:%') over (partition by board_id, captured_on))::integer
            as n_unmatched_entries,
        count(*) over (partition by board_id, captured_on, company_id)::integer as n_entries
    from ranked
)

select
    measured.board_id,
    measured.captured_on,
    measured.entry_key,
    measured.entry_name,
    measured.company_id,
    measured.model_id,
    measured.scale_id,
    measured.rating,
    measured.rating_low,
    measured.rating_high,
    round(measured.rating_se, 6) as rating_se,
    first_value(measured.rating) over capture_order as first_rating,
    round(first_value(measured.rating_se) over capture_order, 6) as first_rating_se,
    measured.rank,
    measured.n_entries,
    measured.n_ranked,
    measured.n_unmatched_entries,
    measured.released_on,
    measured.dated_by,
    least(
        greatest(date_trunc('month', measured.released_on)::date, months.first_month), months.last_month
    ) as volume_month,
    measured.is_open_weights,
    measured.has_audio,
    regexp_matches(measured.stated_name, '(^|[^a-z])(fast|lite|turbo|mini|flash)([^a-z]|$)') as is_fast_tier,
    regexp_matches(measured.stated_name, '1080p|2k|4k') as is_high_resolution,
    measured.resolution_lines,
    measured.citation_ids
from measured
cross join months
where not measured.is_unmatched
window capture_order as (
    partition by measured.board_id, measured.scale_id, measured.entry_key order by measured.captured_on
    rows between unbounded preceding and current row
)
