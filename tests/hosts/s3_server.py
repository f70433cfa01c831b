"""An S3 server on loopback, as a program: moto's, one request at a time, and a test can hold a request.

It prints its port. Requests below `/_control/` are for the test that started it:

    hold?n=3&when=before    holds the third request from now on and never carries it out (`after`: carries it out, does not answer)
    hold                    counts from zero and lets go
    state                   returns how many requests there were since, which, and whether one is held
    copy?source=a&target=b  copies every object of a prefix of the bucket
    drop                    removes the bucket and all that is in it
"""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server
from werkzeug.wsgi import get_input_stream

BUCKET = "shared"


class Held:
    """The application, with one request at a time: conditions of a write are checked and met in one step, as in S3."""

    def __init__(self) -> None:
        """Make the server and its bucket."""
        self.app = DomainDispatcherApplication(create_backend_app)
        self.one = threading.Lock()
        self.seen: list[str] = []
        self.hold: tuple[int, str] | None = None
        self.is_held = False
        backend().create_bucket(BUCKET, "us-east-1")

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        if path.startswith("/_control/"):
            body = json.dumps(self.control(path.rpartition("/")[2], parse_qs(environ.get("QUERY_STRING", "")))).encode()
            start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body]
        sent = get_input_stream(environ).read()
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ |= {"wsgi.input": io.BytesIO(sent), "CONTENT_LENGTH": str(len(sent))}
        with self.one:
            self.seen.append(f"{environ['REQUEST_METHOD']} {path}")
            held = self.hold[1] if self.hold and self.hold[0] == len(self.seen) else ""
            if held == "before":
                self.wait()
                start("503 Service Unavailable", [("Content-Length", "0")])
                return []
            answer = list(self.app(environ, start))
            if held == "after":
                self.wait()
            return answer

    def wait(self) -> None:
        """Hold the request until the test counts from zero."""
        self.is_held = True
        held = self.hold
        while self.hold is held:
            threading.Event().wait(0.01)

    def control(self, verb: str, words: dict[str, list[str]]) -> Any:
        """Do what a test wants."""
        if verb == "hold":
            self.seen, self.is_held = [], False
            self.hold = (int(words["n"][0]), words["when"][0]) if words.get("n") else None
        if verb == "copy":
            keys, store = backend().buckets[BUCKET].keys, backend()
            for name, key in list(keys.items()):
                if name.startswith(words["source"][0] + "/"):
                    store.put_object(BUCKET, words["target"][0] + name.removeprefix(words["source"][0]), key.value)
        if verb == "drop":
            backend().buckets.clear()
        return {"seen": self.seen, "is_held": self.is_held}


def backend() -> Any:
    """Return moto's S3."""
    return s3_backends["123456789012"]["aws"]


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, Held(), threaded=True)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
