"""Strict YAML: a mapping, each key once."""

from pathlib import Path
from typing import Any

import yaml

from datamoat.errors import ContentError
from datamoat.project.texts import unreadable

MOST_NODES = 200_000  # with aliases written out: a file of a few lines may stand for billions of values


class UniqueKeys(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, of which YAML would keep the last, and aliases nested without end."""

    def get_single_node(self) -> yaml.Node | None:
        """Return the document's node, once it is known to be finite."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            self._count(node, {})
        return node

    def _count(self, node: yaml.Node, counted: dict[int, int]) -> int:
        """Return how many values a node expands to, each node counted once."""
        if id(node) in counted:
            if counted[id(node)] == 0:
                raise yaml.constructor.ConstructorError(None, None, "an alias of what contains it", node.start_mark)
            return counted[id(node)]
        counted[id(node)] = 0
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            parts = node.value
        counted[id(node)] = 1 + sum(self._count(part, counted) for part in parts)
        if counted[id(node)] > MOST_NODES:
            raise yaml.constructor.ConstructorError(None, None, f"aliases that stand for {MOST_NODES:,} values", node.start_mark)
        return counted[id(node)]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build one mapping; a key may be there once."""
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"key given twice: {', '.join(twice)}", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a YAML mapping.

    Raises:
        ContentError: The file is absent, is no YAML, or is not a mapping.
    """
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeys)  # noqa: S506  (a subclass of SafeLoader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as failure:
        raise ContentError(f"cannot read {path.name}: {unreadable(failure)}", str(path), "correct the YAML.") from failure
    if not isinstance(value, dict):
        raise ContentError(f"{path.name} is not a mapping", str(path), "write `key: value` lines.")
    return value
