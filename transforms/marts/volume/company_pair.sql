/*---
description: >
  How often, over shared draws of the baseline, the first company has more than the second, at quarter ends and in the last
  month. Pairs have at least one platform owner; first-party measures need two.
grain: [company_a, company_b, month, measure]
rows: {min: 100}
caveats:
  - Two companies without a platform reach the same public web and are tied in every draw; such pairs are left out.
  - A probability near 0.5 means that we do not know, not that they are equal.
---*/

select
    company_a,
    company_b,
    month,
    measure,
    p_a_greater
from intermediate.int_company__pair
order by company_a, company_b, month, measure
