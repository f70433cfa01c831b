#!/bin/sh
# The tests as another user, in a clone whose path has spaces and brackets, started from another folder: `make test-anywhere`.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
tree="$place/a [v1] b"
git clone -q "$(git rev-parse --show-toplevel)" "$tree"
make -s -C "$tree" .venv/dev PYTHON="$1"
as=
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$place"
    chown -R nobody: "$place"
    as="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups"
fi
cd /
# shellcheck disable=SC2086  (words)
$as env HOME="$place" TMPDIR="$place" make -C "$tree" test PYTHON="$1" PYTEST="${PYTEST:-}"
