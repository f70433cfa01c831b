/*---
description: >
  Every key a board has ever shown, and every name on a list of releases that a person matched, with the model, laboratory and company it counts to and why. Curated rows decide; for a key without one, or outside the dates of its rows,
  the maker's name may still give the company, and a rule may propose a model in `evidence`, but nothing is matched by rule. Such rows stay, as `unmatched:<source>:<key>`.
grain: [source_id, entry_key, valid_from]
nullable: [valid_to, variant, has_audio, first_seen_on, last_seen_on, creator_name]
---*/

with seen as (
    select
        boards.source_id,
        boards.board_family,
        entries.board_id,
        entries.entry_key,
        entries.entry_name,
        entries.creator_name,
        entries.captured_on,
        captures.is_serving,
        captures.verification <> 'UNVERIFIED' as is_verified
    from intermediate.int_board__capture_entry as entries
    inner join staging.stg_reference__boards as boards on entries.board_id = boards.board_id
    inner join intermediate.int_board__capture as captures on entries.capture_id = captures.capture_id
),

latest as (
    select
        board_id,
        max(captured_on) as captured_on
    from intermediate.int_board__capture
    where is_serving and capture_status = 'ok'
    group by board_id
),

labs as (
    select
        lab_id,
        company_id
    from staging.stg_reference__labs
),

aliases as (
    select
        aliases.source_id,
        aliases.entry_key,
        aliases.valid_from,
        aliases.valid_to,
        aliases.match_status,
        aliases.model_id,
        aliases.lab_id,
        labs.company_id,
        nullif(
            concat_ws(
                ' ',
                aliases.variant_tier,
                aliases.variant_resolution,
                aliases.variant_checkpoint,
                'served by ' || aliases.hosted_by
            ),
            ''
        ) as variant,
        aliases.has_audio,
        aliases.rule,
        aliases.evidence,
        aliases.citation_id
    from staging.stg_reference__entry_aliases as aliases
    left join labs on aliases.lab_id = labs.lab_id
),

placed as (
    select
        seen.*,
        aliases.valid_from as alias_from
    from seen
    left join aliases
        on
            seen.source_id = aliases.source_id
            and seen.entry_key = aliases.entry_key
            and seen.captured_on >= aliases.valid_from
            and seen.captured_on <= coalesce(aliases.valid_to, date '9999-12-31')
),

spans as (
    select
        placed.source_id,
        placed.entry_key,
        placed.alias_from,
        coalesce(min(placed.captured_on) filter (where placed.is_verified), min(placed.captured_on)) as first_seen_on,
        coalesce(max(placed.captured_on) filter (where placed.is_verified), max(placed.captured_on)) as last_seen_on,
        bool_or(placed.is_verified) as is_verified,
        list_sort(list_distinct(list(placed.entry_name))) as names_seen,
        arg_max(placed.entry_name, (placed.captured_on, placed.entry_name)) as entry_name,
        arg_max(placed.creator_name, (placed.captured_on, placed.creator_name))
        filter (where placed.creator_name is not null) as creator_name,
        max(placed.board_family) as board_family,
        coalesce(bool_or(placed.is_serving and placed.captured_on = latest.captured_on), false) as is_on_latest
    from placed
    left join latest on placed.board_id = latest.board_id
    group by placed.source_id, placed.entry_key, placed.alias_from
),

curated as (
    select
        aliases.source_id,
        aliases.entry_key,
        aliases.valid_from,
        aliases.valid_to,
        true as is_curated,
        coalesce(spans.names_seen, []) as names_seen,
        spans.creator_name,
        aliases.match_status,
        coalesce(aliases.model_id, 'unmatched:' || aliases.source_id || ':' || aliases.entry_key) as model_id,
        coalesce(aliases.lab_id, 'unmatched:' || aliases.source_id || ':' || aliases.entry_key) as lab_id,
        coalesce(aliases.company_id, 'unmatched:' || aliases.source_id || ':' || aliases.entry_key) as company_id,
        aliases.variant,
        aliases.has_audio,
        aliases.rule,
        aliases.evidence,
        aliases.citation_id,
        case when spans.is_verified then spans.first_seen_on end as first_seen_on,
        case when spans.is_verified then spans.last_seen_on end as last_seen_on,
        coalesce(spans.is_on_latest, false) as is_on_latest
    from aliases
    left join spans
        on
            aliases.source_id = spans.source_id
            and aliases.entry_key = spans.entry_key
            and aliases.valid_from = spans.alias_from
),

makers as (
    select
        creators.source_id,
        creators.creator_name,
        creators.valid_from,
        creators.valid_to,
        creators.lab_id,
        coalesce(creators.company_id, labs.company_id) as company_id,
        creators.citation_id
    from staging.stg_reference__creator_aliases as creators
    left join labs on creators.lab_id = labs.lab_id
),

proposals as (
    select
        regexp_replace(lower(model_name), '[^a-z0-9]', '', 'g') as normal_name,
        min(model_id) as model_id
    from staging.stg_reference__models
    group by all
),

undecided as (
    select
        spans.source_id,
        spans.entry_key,
        spans.first_seen_on as valid_from,
        null::date as valid_to,
        false as is_curated,
        spans.names_seen,
        spans.creator_name,
        case when makers.company_id is not null then 'source_only' else 'unmatched' end as match_status,
        'unmatched:' || spans.source_id || ':' || spans.entry_key as model_id,
        coalesce(
            makers.lab_id, 'unmatched:' || spans.source_id || ':' || coalesce(spans.creator_name, spans.entry_key)
        ) as lab_id,
        coalesce(
            makers.company_id, 'unmatched:' || spans.source_id || ':' || coalesce(spans.creator_name, spans.entry_key)
        )
            as company_id,
        null as variant,
        null::boolean as has_audio,
        case when makers.company_id is not null then 'creator' else 'none' end as rule,
        case when makers.company_id is not null then 'the maker shown is known; ' else 'no maker we know; ' end
        || case
            when spans.board_family <> 'video' then 'models of this board are not in the register'
            when proposals.model_id is not null
                then 'a rule proposes ' || proposals.model_id || ' (name equal after normalising), nobody has decided'
            else 'no rule proposes a model'
        end as evidence,
        coalesce(
            makers.citation_id,
            case spans.source_id when 'arena' then 'C2202' when 'vbench' then 'C2007' else 'C2201' end
        )
            as citation_id,
        case when spans.is_verified then spans.first_seen_on end as first_seen_on,
        case when spans.is_verified then spans.last_seen_on end as last_seen_on,
        spans.is_on_latest
    from spans
    left join makers
        on
            spans.source_id = makers.source_id
            and spans.creator_name = makers.creator_name
            and spans.last_seen_on >= makers.valid_from
            and spans.last_seen_on <= coalesce(makers.valid_to, date '9999-12-31')
    left join proposals on regexp_replace(lower(spans.entry_name), '[^a-z0-9]', '', 'g') = proposals.normal_name
    where spans.alias_from is null
)

select * from curated
union all
select * from undecided
