/*---
description: A text has no character that cannot be seen, no letters that look like others, no formula, error, tag or damage of another program.
fix: type the cell again, without copying it.
---*/

with checked as (
    select
        *,
        regexp_matches(column_name, '(_id|_ids|_key)$') as is_key,
        regexp_matches(column_name, '(_id|_ids|_key|name)$') as is_name,
        regexp_replace(stated, 'https?://\S+', '', 'g') as without_addresses
    from cells
    where file_name <> 'claim_queries'
),

breaches as (
    select
        *,
        case
            when
                regexp_matches(
                    stated,
                    '[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\x{a0}\x{fffd}\x{34f}\x{115f}\x{1160}\x{2000}-\x{200a}'
                    || '\x{202f}\x{205f}\x{3000}\x{3164}\x{ffa0}\x{fe00}-\x{fe0f}]'
                )
                then 'has a character that cannot be seen; right would be without it'
            when is_key and regexp_matches(stated, '[^\P{L}a-zA-Z\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]')
                then 'has a letter that looks like another; right would be the key as its source writes it'
            when regexp_matches(stated, '\?{3}') or regexp_matches(without_addresses, '\p{L}\?\p{L}')
                then 'has question marks in place of letters; right would be the letters of the page, saved as UTF-8'
            -- A letter of two or three bytes in UTF-8, each read as a letter of Windows-1252.
            when
                regexp_matches(
                    stated,
                    'â€|[ÂÃ][\x{80}-\x{bf}€‚ƒ„…†‡ˆ‰Š‹ŒŽ•˜™š›œžŸ]'
                    || '|[à-ï][\x{80}-\x{bf}€‚ƒ„…†‡ˆ‰Š‹ŒŽ•˜™š›œžŸ]{2}'
                )
                then 'has letters read in another encoding; right would be the letters of the page, saved as UTF-8'
            when regexp_matches(stated, '\p{Latin}\p{Mn}|[\x{1d400}-\x{1d7ff}]') or stated <> nfc_normalize(stated)
                then 'has a letter put together or of mathematics; right would be the plain letter'
            when
                regexp_matches(
                    stated,
                    '\p{Latin}[\p{Cyrillic}\p{Greek}\p{Armenian}\p{Cherokee}]'
                    || '|[\p{Cyrillic}\p{Greek}\p{Armenian}\p{Cherokee}]\p{Latin}'
                )
                or is_name
                and regexp_matches(stated, '\p{Latin}')
                and regexp_matches(stated, '[\p{Cyrillic}\p{Greek}\p{Armenian}\p{Cherokee}\x{ff01}-\x{ff5e}]')
                then 'mixes letters of two scripts; right would be one script'
            when regexp_matches(stated, '(?i)#(REF!|NAME\?|VALUE!|DIV/0!|N/A|NULL!|NUM!)')
                then 'is an error of a spreadsheet; right would be the value, or an empty cell'
            when regexp_matches(stated, '(?i)^[''"\s]*[=@|＝＋－＠]|^[''"\s]*[+-]([^0-9.]|.*\()|\bcmd\s*\|')
                then 'is a formula; right would be a text that begins with a letter or digit'
            when regexp_matches(stated, '(?i)</?[a-z!]|javascript:')
                then 'has a tag; right would be the text without it'
        end as wrong
    from checked
)

select
    file_name,
    line,
    column_name || ' ''' || regexp_replace(stated[:60], '[\p{C}\p{Zl}\p{Zp}]', '?', 'g') || ''' ' || wrong as wrong
from breaches
where wrong is not null
