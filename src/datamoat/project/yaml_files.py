"""Strict YAML: a mapping, each key once."""

from pathlib import Path
from typing import Any

import yaml

from datamoat.errors import ContentError


class UniqueKeys(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, of which YAML would keep the last."""

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
        raise ContentError(f"cannot read {path.name}: {failure}", str(path), "correct the YAML.") from failure
    if not isinstance(value, dict):
        raise ContentError(f"{path.name} is not a mapping", str(path), "write `key: value` lines.")
    return value
