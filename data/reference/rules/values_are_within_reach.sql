/*---
description: A value is one that its metric can have, for the reason given.
fix: correct the power of ten, the unit or the metric.
---*/

-- The limits of assumptions.csv, and others that follow from eight billion people and a day of 24 hours.
with reach (metric, unit, lowest, highest, reason) as (
    select
        null as metric,
        unnest(['users', 'accounts', 'creators', 'channels']) as unit,
        1000.0 as lowest,
        p50 as highest,
        'statistics are of services with thousands of people, and ' || reason as reason
    from assumptions
    where name = 'limit_users'
    union all
    select
        null as metric,
        'seconds' as unit,
        least_duration.p50 as lowest,
        longest.p50 as highest,
        longest.reason || ' ' || least_duration.reason as reason
    from assumptions as longest
    cross join assumptions as least_duration
    where longest.name = 'limit_duration_seconds' and least_duration.name = 'limit_duration_least_seconds'
    union all
    select
        'removed_share_of_published' as metric,
        'fraction' as unit,
        0 as lowest,
        p50 as highest,
        reason
    from assumptions
    where name = 'limit_removed_share'
    union all
    select
        null as metric,
        'hours' as unit,
        1 as lowest,
        p50 as highest,
        reason
    from assumptions
    where name = 'limit_stock_hours'
    union all
    values
    ('daily_active_users', 'users', 10000, 8.3e9, 'no daily users of a service below ten thousand are published'),
    ('monthly_active_users', 'users', 10000, 8.3e9, 'no monthly users of a service below ten thousand are published'),
    (null, 'fraction', 0, 1, 'a share is at most the whole'),
    (null, 'minutes', 0.1, 480, 'a mean over all users above eight hours a day leaves no sleep or work'),
    (null, 'videos_per_day', 100, 2e9, 'the busiest measured platform gets one a day from five monthly users'),
    (null, 'works_per_day', 100, 2e9, 'the busiest measured platform gets one a day from five monthly users'),
    (null, 'posts_per_day', 100, 8.3e9, 'one a day from everybody alive'),
    (null, 'reshares_per_day', 100, 8.3e10, 'ten a day from everybody alive'),
    (null, 'videos_per_month', 1000, 31 * 2e9, 'two billion a day'),
    (null, 'videos_per_quarter', 1000, 92 * 2e9, 'two billion a day'),
    (null, 'videos_per_year', 1000, 366 * 2e9, 'two billion a day'),
    (null, 'items_per_year', 1000, 366 * 2e9, 'two billion a day'),
    (null, 'videos', 1000, 1e12, 'more than a hundred of everybody alive'),
    (null, 'images', 1000, 1e13, 'more than a thousand of everybody alive'),
    (null, 'downloads', 1000, 1e11, 'ten of everybody alive'),
    (null, 'views_per_day', 1000, 8.3e12, 'a thousand a day by everybody alive'),
    (null, 'views_per_month', 1000, 31 * 8.3e12, 'a thousand a day by everybody alive'),
    (null, 'hours_per_minute', 0.01, 1e5, 'two billion videos a day of a minute and more'),
    (null, 'hours_per_day', 1, 8 * 8.3e9, 'eight hours a day of everybody alive'),
    (null, 'hours_per_month', 1, 31 * 8 * 8.3e9, 'eight hours a day of everybody alive'),
    (null, 'ratio', 0.001, 1000, 'a growth rate of more is one of another unit')
),

disclosed (quantity, lowest, highest, reason) as (
    values
    ('clips', 1, 1e12, 'more than a hundred of everybody alive'),
    ('videos', 1, 1e12, 'more than a hundred of everybody alive'),
    ('images', 1, 1e13, 'more than a thousand of everybody alive'),
    ('hours', 1, 1e10, 'an hour of everybody alive'),
    ('audio_hours', 1, 1e10, 'an hour of everybody alive'),
    ('audio_samples', 1, 1e12, 'more than a hundred of everybody alive'),
    ('audio_video_samples', 1, 1e12, 'more than a hundred of everybody alive'),
    ('samples_seen', 1, 1e13, 'more than a thousand of everybody alive'),
    ('tokens', 1e6, 1e16, 'a hundred times all text that is published'),
    ('gpus', 1, 1e7, 'more than are made in a year'),
    ('gpu_hours', 1, 1e11, 'ten million processors for a year'),
    ('training_flop', 1e15, 1e29, 'ten million processors for a year'),
    ('data_ratio', 0.001, 1000, 'a ratio of more is one of other units'),
    ('videos_ratio', 0.001, 1000, 'a ratio of more is one of other units'),
    ('images_ratio', 0.001, 1000, 'a ratio of more is one of other units')
),

checked as (
    select
        'platform_observations' as file_name,
        observations.line,
        observations.value,
        observations.value_high,
        observations.metric || ' in ' || observations.unit as what,
        reach.lowest,
        reach.highest,
        reach.reason
    from platform_observations as observations
    inner join reach
        on observations.unit = reach.unit and (reach.metric is null or observations.metric = reach.metric)
    union all
    select
        'training_disclosures' as file_name,
        disclosures.line,
        disclosures.value,
        disclosures.value_high,
        disclosures.quantity as what,
        disclosed.lowest,
        disclosed.highest,
        disclosed.reason
    from training_disclosures as disclosures
    inner join disclosed on disclosures.quantity = disclosed.quantity
    union all
    select
        'company_resources' as file_name,
        line,
        value_usd as value,
        null as value_high,
        quantity || ' in US dollars' as what,
        0 as lowest,
        1e12 as highest,
        'no company has had or spent a trillion US dollars in a year' as reason
    from company_resources
)

select
    file_name,
    line,
    'value ' || value || ' of ' || what || ' is out of reach; right would be at '
    || case
        when value < lowest then 'least ' || lowest
        else 'most ' || coalesce(nullif(highest, trunc(highest))::varchar, highest::hugeint::varchar)
    end
    || ' (' || rtrim(reason, '.') || ')' as wrong
from checked
where value < lowest or greatest(value, value_high) > highest
