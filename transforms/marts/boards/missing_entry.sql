/*---
description: Models of the register that a video board does not rank, from when to when and why.
grain: [board_id, model_id, missing_from]
nullable: [missing_to, last_seen_on, last_entry_name, last_rank, last_rating, last_scale_id, spearman_now, spearman_if_returned]
caveats:
  - never_listed means that no complete or partial reading we hold lists it, while another board of the same task does.
  - missing_to is the last reading without it, empty while it is still missing.
---*/

select
    missing.board_id,
    missing.model_id,
    missing.missing_from,
    missing.missing_to,
    missing.reason,
    missing.last_seen_on,
    missing.last_entry_name,
    missing.last_rank,
    missing.last_rating,
    missing.last_scale_id,
    effects.spearman as spearman_now,
    effects.spearman_if_returned,
    case
        when missing.last_rating is null then 'unknown: it never had a rating here'
        when effects.model_id is null then 'unknown: no complete board of its scale is held for the time it is missing'
        when not effects.is_company_best then 'none: its company has a better entry'
        when effects.verdict = effects.verdict_if_returned
            then
                'verdict stays ' || effects.verdict || ', correlation '
                || coalesce(round(effects.spearman, 2)::varchar, 'none') || ' to '
                || coalesce(round(effects.spearman_if_returned, 2)::varchar, 'none')
        else 'verdict turns from ' || effects.verdict || ' to ' || effects.verdict_if_returned
    end as effect_on_verdict
from intermediate.int_board__missing_entry as missing
left join intermediate.int_moat__missing_effect as effects
    on
        missing.board_id = effects.board_id
        and missing.model_id = effects.model_id
        and missing.missing_from = effects.missing_from
