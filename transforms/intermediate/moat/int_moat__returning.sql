/*---
description: >
  Entries that a board has lost, as they would stand if they came back at their last rating on the newest complete board of the time they are missing, on the same scale.
  Only where that would be their company's best does the headline change.
grain: [board_id, model_id, missing_from]
nullable: [is_open_weights, has_audio, resolution_lines]
---*/

with readings as (
    select distinct
        board_id,
        captured_on,
        scale_id
    from intermediate.int_moat__contender
),

targets as (
    select
        missing.board_id,
        missing.model_id,
        missing.missing_from,
        missing.last_seen_on,
        missing.last_entry_name,
        missing.last_rating,
        max(readings.captured_on) as captured_on
    from intermediate.int_board__missing_entry as missing
    inner join readings
        on
            missing.board_id = readings.board_id
            and missing.last_scale_id = readings.scale_id
            and missing.missing_from <= readings.captured_on
            and readings.captured_on <= coalesce(missing.missing_to, date '9999-12-31')
    where missing.last_rating is not null
    group by all
),

lost as (
    select
        targets.*,
        entries.entry_key,
        entries.company_id,
        least(coalesce(entries.released_on, entries.captured_on), entries.captured_on) as released_on,
        entries.has_audio
    from targets
    inner join intermediate.int_board__entry as entries
        on
            targets.board_id = entries.board_id
            and targets.last_seen_on = entries.captured_on
            and targets.model_id = entries.model_id
            and targets.last_entry_name = entries.entry_name
    where entries.company_id not like 'unmatched:%'
    qualify row_number() over (
        partition by targets.board_id, targets.model_id, targets.missing_from
        order by entries.rating desc, entries.entry_key asc
    ) = 1
),

boards as (
    select
        board_id,
        captured_on,
        median(rating_se) as rating_se
    from intermediate.int_moat__contender
    where representative = 'best'
    group by board_id, captured_on
),

months as (
    select
        min(month) as first_month,
        max(month) as last_month
    from intermediate.int_company__volume_quantiles
)

select
    lost.board_id,
    lost.model_id,
    lost.missing_from,
    lost.captured_on,
    lost.company_id,
    lost.entry_key,
    lost.last_rating as rating,
    round(boards.rating_se, 6) as rating_se,
    lost.released_on,
    least(greatest(date_trunc('month', lost.released_on)::date, months.first_month), months.last_month) as volume_month,
    models.is_open_weights,
    lost.has_audio,
    null::integer as resolution_lines,
    coalesce(lost.last_rating > best.rating, true) as is_company_best
from lost
inner join boards on lost.board_id = boards.board_id and lost.captured_on = boards.captured_on
cross join months
left join staging.stg_reference__models as models on lost.model_id = models.model_id
left join intermediate.int_moat__contender as best
    on
        lost.board_id = best.board_id
        and lost.captured_on = best.captured_on
        and lost.company_id = best.company_id
        and best.representative = 'best'
