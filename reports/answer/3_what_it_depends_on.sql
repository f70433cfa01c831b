/*---
description: What it depends on
---*/

with effects as (
    select * from marts.moat_effect
    where as_of_kind = 'newest' and board_id = 'all'
),

sentences as (
    select
        1 as place,
        'Company size: over the ' || owning.n_companies || ' companies whose size is known, owners are ahead by ' || round(owning.estimate)::integer
        || ' points, and by ' || sized.interval_text || ' beside others of their size (90 % intervals in brackets). Size itself goes with '
        || size.interval_text || ' points per factor of ten.' as sentence
    from effects as owning
    inner join effects as sized on sized.specification_id = 'size'
    inner join effects as size on size.specification_id = 'size_beside_owning'
    where owning.specification_id = 'owning_where_size_is_known'
    union all
    select
        2 as place,
        'Boards where video cannot help: owners are ' || interval_text || ' points further ahead on video boards than there.' as sentence
    from effects
    where specification_id = 'owning_video_minus_controls'
    union all
    select
        3 + question_number / 100 as place,
        question || ' ' || what_would_change_it as sentence
    from marts.moat_answer
    where as_of_kind = 'newest' and question_id in ('owning', 'amount', 'short', 'size')
    union all
    select
        4 as place,
        'Few owners: with ' || n_owners || ' owners the smallest p that their amounts can reach is ' || round(min_possible_p, 4)
        || ', and differences among them are seen only if they are large.' as sentence
    from marts.moat_answer
    where as_of_kind = 'newest' and question_id = 'amount' and min_possible_p is not null
    union all
    select
        5 as place,
        'Unverified: ' || coalesce(
            (
                select 'ownership of ' || array_to_string(unverified_platforms, ', ') || ' enters and is not verified.'
                from marts.moat_answer
                where as_of_kind = 'newest' and question_id = 'owning' and rests_on_unverified
            ),
            'no owner is counted because of an unverified row of ownership.'
        ) as sentence
)

select sentence
from sentences
order by place, sentence
