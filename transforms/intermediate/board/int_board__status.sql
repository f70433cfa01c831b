/*---
description: >
  What we know of every board on every calendar day from its first capture to its last. A day without a capture is missing, a day whose response held nothing is empty: neither is a board. A day is
  unchanged when its complete board carries the publication date of the complete board before it, or the same entries, votes and whole-point ratings, or when the source
  answered with the publication it had answered with before; board_read_on is the day whose entries stand for it.
grain: [board_id, captured_on]
nullable:
  - capture_id
  - board_read_on
  - board_published_on
  - n_listed
  - n_ranked
  - scale_id
  - leader_entry_key
  - leader_entry_name
  - leader_company_id
  - leader_rating
  - n_leaders
  - n_votes_total
  - content_sha256
  - reason
---*/

with spans as (
    select
        board_id,
        min(captured_on) as first_on,
        max(captured_on) as last_on
    from intermediate.int_board__capture
    group by board_id
),

calendar as (
    select
        board_id,
        unnest(generate_series(first_on, last_on, interval 1 day))::date as captured_on
    from spans
),

content as (
    select
        board_id,
        captured_on,
        count(*)::integer as n_held,
        (count(*) filter (where is_ranked))::integer as n_ranked,
        sum(n_votes)::bigint as n_votes_total,
        sha256(string_agg(
            concat_ws('|', entry_key, entry_name, listed_rank, rating, rating_low, rating_high, n_votes),
            chr(10) order by entry_key
        )) as content_sha256,
        sha256(string_agg(concat_ws('|', entry_key, round(rating), n_votes), chr(10) order by entry_key))
            as rounded_sha256
    from intermediate.int_board__entry
    group by board_id, captured_on
),

leaders as (
    select
        board_id,
        captured_on,
        entry_key,
        entry_name,
        company_id,
        rating,
        (count(*) over (partition by board_id, captured_on))::integer as n_leaders
    from intermediate.int_board__entry
    where rank = 1
    qualify row_number() over (
        partition by board_id, captured_on
        order by rating desc nulls last, listed_rank asc nulls last, entry_name asc, entry_key asc
    ) = 1
),

served as (
    select
        captures.board_id,
        captures.captured_on,
        captures.capture_id,
        captures.capture_status,
        captures.board_published_on,
        captures.n_listed,
        content.n_ranked,
        content.n_votes_total,
        content.content_sha256,
        content.rounded_sha256,
        links.scale_id,
        leaders.entry_key as leader_entry_key,
        leaders.entry_name as leader_entry_name,
        leaders.company_id as leader_company_id,
        leaders.rating as leader_rating,
        leaders.n_leaders
    from intermediate.int_board__capture as captures
    inner join content on captures.board_id = content.board_id and captures.captured_on = content.captured_on
    inner join intermediate.int_board__scale_link as links
        on captures.board_id = links.board_id and captures.captured_on = links.captured_on
    left join leaders on captures.board_id = leaders.board_id and captures.captured_on = leaders.captured_on
    where captures.is_serving
),

complete as (
    select
        *,
        lag(rounded_sha256) over (partition by board_id order by captured_on) as previous_sha256,
        max(board_published_on) over (
            partition by board_id order by captured_on
            rows between unbounded preceding and 1 preceding
        ) as previous_published_on
    from served
    where capture_status = 'ok'
),

unchanged as (
    select
        board_id,
        captured_on
    from complete
    where rounded_sha256 = previous_sha256 or board_published_on <= previous_published_on
),

others as (
    select
        board_id,
        captured_on,
        max(case when capture_status = 'empty' then 1 else 0 end) as has_empty,
        max(case when capture_status = 'error' then 1 else 0 end) as has_error,
        max(case when capture_status = 'unchanged' then 1 else 0 end) as has_repeat,
        max(case when verification = 'UNVERIFIED' then 1 else 0 end) as has_unverified,
        min(note) filter (where capture_status in ('empty', 'error')) as note
    from intermediate.int_board__capture
    where not is_usable
    group by board_id, captured_on
),

days as (
    select
        calendar.board_id,
        calendar.captured_on,
        case
            when unchanged.board_id is not null then 'unchanged'
            when served.capture_status is not null then served.capture_status
            when others.has_repeat = 1 and standing.captured_on is not null then 'unchanged'
            when others.has_empty = 1 then 'empty'
            when others.has_error = 1 then 'error'
            else 'missing'
        end as status,
        case
            when served.capture_status is not null then null
            when others.has_repeat = 1 and standing.captured_on is not null
                then 'the source repeated its publication; the entries are those of ' || standing.captured_on
            when others.has_empty = 1 or others.has_error = 1 then coalesce(others.note, 'no complete capture')
            when others.has_unverified = 1 then 'only an unverified statement is held for this day'
        end as reason,
        case
            when served.capture_status is not null then served.captured_on
            when others.has_repeat = 1 then standing.captured_on
        end as board_read_on
    from calendar
    left join served on calendar.board_id = served.board_id and calendar.captured_on = served.captured_on
    left join unchanged on calendar.board_id = unchanged.board_id and calendar.captured_on = unchanged.captured_on
    left join others on calendar.board_id = others.board_id and calendar.captured_on = others.captured_on
    left join complete as standing
        on
            calendar.board_id = standing.board_id
            and standing.captured_on = (
                select max(earlier.captured_on)
                from complete as earlier
                where earlier.board_id = calendar.board_id and earlier.captured_on <= calendar.captured_on
            )
)

select
    days.board_id,
    days.captured_on,
    days.status,
    days.reason,
    days.board_read_on,
    served.capture_id,
    served.board_published_on,
    served.n_listed,
    case when served.capture_status = 'ok' then served.n_ranked end as n_ranked,
    served.scale_id,
    served.leader_entry_key,
    served.leader_entry_name,
    served.leader_company_id,
    served.leader_rating,
    served.n_leaders,
    case when served.capture_status = 'ok' then served.n_votes_total end as n_votes_total,
    served.content_sha256,
    coalesce(days.board_read_on = days.captured_on and days.captured_on = max(
        case when days.status in ('ok', 'unchanged') and days.board_read_on = days.captured_on then days.captured_on end
    ) over (partition by days.board_id), false) as is_latest_usable
from days
left join served on days.board_id = served.board_id and days.board_read_on = served.captured_on
