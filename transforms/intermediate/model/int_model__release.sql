/*---
description: >
  When each model of the register came out, over every source that gives a date. The published date is the first day it could be used: from the register if its row is
  verified, else as a board states it, else the day it was shown or first published, by the register or by Epoch AI's newest list, else the day a board first listed it. A month counts from its first day; a year alone gives a range and no day.
grain: [model_id]
nullable: [released_on, date_kind, released_on_low, released_on_high, first_seen_on]
---*/

with stated as (
    select
        models.model_id,
        coalesce(citations.source_id, 'register') as stated_by,
        'available' as date_kind,
        models.released_as_stated as date_text,
        models.citation_id
    from staging.stg_reference__models as models
    inner join staging.stg_reference__citations as citations on models.citation_id = citations.citation_id
    where models.verification <> 'UNVERIFIED' and models.released_as_stated is not null
    union all
    select
        models.model_id,
        coalesce(citations.source_id, 'register') as stated_by,
        'announced' as date_kind,
        models.announced_as_stated as date_text,
        models.citation_id
    from staging.stg_reference__models as models
    inner join staging.stg_reference__citations as citations on models.citation_id = citations.citation_id
    where models.verification <> 'UNVERIFIED' and models.announced_as_stated is not null
    union all
    select distinct
        matches.model_id,
        matches.source_id as stated_by,
        'available' as date_kind,
        entries.released_as_stated as date_text,
        captures.citation_id
    from intermediate.int_board__capture_entry as entries
    inner join intermediate.int_board__capture as captures on entries.capture_id = captures.capture_id
    inner join staging.stg_reference__boards as boards on entries.board_id = boards.board_id
    inner join intermediate.int_entry__match as matches
        on boards.source_id = matches.source_id and entries.entry_key = matches.entry_key
    where
        entries.released_as_stated is not null
        and matches.is_curated
        and matches.match_status in ('confirmed', 'probable')
        and boards.board_family = 'video'
    union all
    select distinct
        aliases.model_id,
        aliases.source_id as stated_by,
        'announced' as date_kind,
        listed.released_as_stated as date_text,
        aliases.citation_id
    from staging.stg_epoch_models__video_models as listed
    inner join staging.stg_reference__entry_aliases as aliases
        on
            listed.model_name = aliases.entry_key
            and aliases.source_id = 'epoch_ai'
            and listed.captured_on between aliases.valid_from and coalesce(aliases.valid_to, date '9999-12-31')
    where
        aliases.match_status = 'confirmed'
        and (
            listed.first_published_on is not null
            or regexp_full_match(listed.released_as_stated, '\d{4}(-(0[1-9]|1[0-2]))?')
        )
    qualify
        row_number() over (
            partition by aliases.model_id
            order by listed.captured_on desc, listed.released_as_stated asc
        ) = 1
),

dated as (
    select
        model_id,
        stated_by,
        date_kind,
        date_text,
        citation_id,
        length(date_text) as precision_n_chars,
        (date_text || case length(date_text) when 4 then '-01-01' when 7 then '-01' else '' end)::date as low_on,
        case length(date_text)
            when 4 then (date_text || '-12-31')::date
            when 7 then last_day((date_text || '-01')::date)
            else date_text::date
        end as high_on
    from stated
),

ordered as (
    select
        *,
        row_number() over (
            partition by model_id
            order by
                case
                    when
                        date_kind = 'available'
                        and precision_n_chars = 10
                        and stated_by not in ('artificial_analysis', 'arena')
                        then 1
                    when date_kind = 'available' and precision_n_chars = 10 then 2
                    when date_kind = 'available' and precision_n_chars = 7 then 3
                    when date_kind = 'announced' and precision_n_chars > 4 then 4
                    else 5
                end,
                low_on,
                citation_id
        ) as preference
    from dated
),

-- A month or a year that holds a finer statement agrees with it and widens nothing.
ranges as (
    select
        model_id,
        min(low_on) filter (where not is_coarser) as released_on_low,
        max(high_on) filter (where not is_coarser) as released_on_high,
        count(distinct stated_by)::integer as n_sources,
        list_sort(list_distinct(list(citation_id))) as citation_ids
    from (
        select
            dated.*,
            exists(
                select 1
                from dated as finer
                where
                    finer.model_id = dated.model_id
                    and finer.precision_n_chars > dated.precision_n_chars
                    and finer.low_on between dated.low_on and dated.high_on
            ) as is_coarser
        from dated
    ) as compared
    group by model_id
),

first_seen as (
    select
        model_id,
        min(first_seen_on) as first_seen_on,
        min(citation_id) as citation_id
    from intermediate.int_entry__match
    where is_curated and match_status in ('confirmed', 'probable') and first_seen_on is not null
    group by model_id
)

select
    models.model_id,
    case
        when ordered.precision_n_chars > 4 then ordered.low_on
        when ordered.model_id is null then first_seen.first_seen_on
    end as released_on,
    case
        when ordered.precision_n_chars > 4 then ordered.date_kind
        when ordered.model_id is null and first_seen.first_seen_on is not null then 'arena_first_seen'
    end as date_kind,
    coalesce(ranges.released_on_low, first_seen.first_seen_on) as released_on_low,
    coalesce(ranges.released_on_high, first_seen.first_seen_on) as released_on_high,
    coalesce(ranges.n_sources, case when first_seen.model_id is not null then 1 else 0 end) as n_sources,
    first_seen.first_seen_on,
    list_sort(list_distinct(list_concat(coalesce(ranges.citation_ids, []), [models.citation_id]))) as citation_ids
from staging.stg_reference__models as models
left join ordered on models.model_id = ordered.model_id and ordered.preference = 1
left join ranges on models.model_id = ranges.model_id
left join first_seen on models.model_id = first_seen.model_id
