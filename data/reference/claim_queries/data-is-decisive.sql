-- An association is not decisive: where more video is associated with higher ratings, the claim cannot be distinguished from its rivals; where it does not, it is false.
select
    'no_board' as board_id,
    as_of_on as captured_on,
    case verdict when 'not_supported' then 'false' else 'cannot_tell' end as verdict,
    coalesce(
        round(estimate, 0)::integer || ' ' || unit || ' (90 %: ' || round(estimate_p05, 0)::integer || ' to ' || round(estimate_p95, 0)::integer
        || '), p ' || round(p_permutation, 3) || ' (smallest possible ' || round(min_possible_p, 4) || '), ' || n_owners || ' owners of '
        || n_companies || ' companies; by the rule: ' || replace(verdict, '_', ' '),
        'too few companies to tell'
    ) as evidence,
    null::double as gap_to_leader,
    null::boolean as gap_exceeds_interval
from marts.moat_answer
where question_id = 'amount' and as_of_kind in ('newest', 'story')
order by as_of_on
