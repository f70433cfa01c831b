"""The order in which models run, and which layer may read which."""

from graphlib import CycleError, TopologicalSorter

from datamoat.errors import ContentError
from datamoat.project.model import LAYERS, Model

# `raw` is read by staging alone, and only its own source's.
MAY_READ = {
    "staging": {"raw"},
    "intermediate": {"staging", "intermediate", "meta"},
    "marts": {"staging", "intermediate", "meta"},
}
READABLE_META = {"meta.snapshots", "meta.sources"}  # made before the models run


def in_graph_order(models: list[Model]) -> tuple[Model, ...]:
    """Return the models so that each comes after what it reads; the rules of the layers are checked here."""
    home: dict[str, Model] = {}
    for model in models:
        for table in model.tables:
            if table.id in home:
                raise ContentError(
                    f"two models yield {table.id}", f"{home[table.id].path} and {model.path}", "rename one of them."
                )
            home[table.id] = model
    graph: dict[str, set[str]] = {}
    for model in models:
        graph[model.name] = set()
        for read in model.reads:
            schema = read.split(".")[0]
            if schema not in MAY_READ[model.layer] or (schema == "meta" and read not in READABLE_META):
                raise ContentError(
                    f"{model.layer}.{model.name} reads {read}",
                    str(model.path),
                    f"{model.layer} may read {', '.join(sorted(MAY_READ[model.layer]))}"
                    " (of meta: snapshots and sources); go through the layer between.",
                )
            if schema == "raw" and not read.startswith(f"raw.{model.source_id}__"):
                raise ContentError(
                    f"{model.name} reads {read}, another source's table",
                    str(model.path),
                    "staging reads its own source; join in intermediate.",
                )
            if schema in LAYERS:
                if read not in home:
                    near = [name for name in home if name.split(".")[1].split("__")[0] == read.split(".")[1].split("__")[0]]
                    raise ContentError(
                        f"{model.layer}.{model.name} reads {read}, which no model builds",
                        str(model.path),
                        f"did you mean one of {sorted(near)[:5]}?" if near else "write that model first.",
                    )
                graph[model.name].add(home[read].name)
    by_name = {model.name: model for model in models}
    sorter = TopologicalSorter({name: sorted(graph[name]) for name in sorted(graph)})
    try:
        return tuple(by_name[name] for name in sorter.static_order())
    except CycleError as failure:
        raise ContentError(
            f"models read each other in a circle: {' → '.join(failure.args[1])}",
            str(by_name[failure.args[1][0]].path),
            "break the circle.",
        ) from failure
