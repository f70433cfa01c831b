/*---
description: An address is that of a page which others can open, not of a search or of one machine.
fix: give the address of the page itself, or leave it empty.
---*/

with hosts as (
    select
        file_name,
        line,
        column_name,
        stated,
        regexp_extract(lower(stated), '^https?://(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]+)', 1) as host
    from cells
    where regexp_matches(stated, '^https?://') and regexp_matches(column_name, 'url$')
)

select
    file_name,
    line,
    column_name || ' ' || stated || ' is no page that others can open; right would be the page itself' as wrong
from hosts
where
    regexp_matches(
        lower(stated),
        '^https?://([a-z]+\.)?(google|bing|duckduckgo|baidu|yandex|sogou|so)\.[a-z.]+/(search|s|web)?/?\?'
    )
    or regexp_matches(host, '^(localhost|.*\.(localhost|local|internal|lan|test|invalid))$|^\[|^[^.]+$')
    or regexp_matches(host, '^(0|10|127|169\.254|192\.168|172\.(1[6-9]|2[0-9]|3[01]))\.[0-9.]+$')
    -- one real page has a bare address of numbers; a machine without a page has none
    or regexp_matches(lower(stated), '^https?://[0-9.]+(:[0-9]+)?/?$')
