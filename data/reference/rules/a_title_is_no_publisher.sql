/*---
description: The title of a page is not the name of a publisher.
fix: exchange title and publisher.
---*/

select
    'citations' as file_name,
    line,
    'title ''' || title || ''' is a publisher of other pages; right would be the two exchanged' as wrong
from citations
where title in (select others.publisher from citations as others)
