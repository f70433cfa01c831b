"""Validates the RO-Crate in a folder with the standard's own validator; run by the interpreter of `.venv/rocrate`.

The validator fetches the JSON-LD context of RO-Crate. Here it gets the copy that the package `rocrate` carries, and nothing else.
"""

import importlib.util
import io
import json
import sys
from pathlib import Path
from typing import Any

import requests

CONTEXT = Path(importlib.util.find_spec("rocrate").submodule_search_locations[0]) / "data" / "ro-crate.jsonld"


def send(_: object, request: requests.PreparedRequest, **__: Any) -> requests.Response:
    """Return the packaged context for its address, 404 for any other."""
    body = CONTEXT.read_bytes()
    is_context = request.url == json.loads(body)["@id"]
    response = requests.Response()
    response.request, response.url, response.status_code = request, str(request.url), 200 if is_context else 404
    response.raw = io.BytesIO(body if is_context else b"")
    response.headers["Content-Type"] = "application/ld+json"
    return response


if __name__ == "__main__":
    requests.adapters.HTTPAdapter.send = send
    from rocrate_validator import models, services

    severity = models.Severity.REQUIRED
    result = services.validate(models.ValidationSettings(rocrate_uri=sys.argv[1], requirement_severity=severity, no_cache=True))
    issues = [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues(severity)]
    sys.stdout.write(json.dumps({"passed": result.passed(), "n_checks": len(result.executed_checks), "issues": issues}) + "\n")
