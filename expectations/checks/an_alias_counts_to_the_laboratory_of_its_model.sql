/*---
description: No entry is counted to one laboratory and to a model of another; a derivative is a model of its own, with a base.
severity: critical
---*/

select
    aliases.source_id,
    aliases.entry_key,
    aliases.model_id,
    aliases.lab_id,
    models.lab_id as lab_id_of_model
from staging.stg_reference__entry_aliases as aliases
inner join staging.stg_reference__models as models on aliases.model_id = models.model_id
where aliases.lab_id is distinct from models.lab_id
