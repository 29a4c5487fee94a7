"""`python -m supernet.catalog --write | --check`: the generated files."""

from __future__ import annotations

import sys

from supernet.catalog.generated import stale
from supernet.errors import UsageError


def main(arguments: list[str]) -> int:
    """`--write` writes the generated files, `--check` says which are stale and returns 1 if any is."""
    if arguments not in (["--write"], ["--check"]):
        sys.stderr.write("usage: python -m supernet.catalog --write | --check\n")
        return 2
    write = arguments == ["--write"]
    try:
        changed = stale(write=write)
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    for path in changed:
        sys.stdout.write(f"{path}: {'written' if write else 'stale; run python -m supernet.catalog --write'}\n")
    return int(bool(changed) and not write)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
