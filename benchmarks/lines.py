"""Lines of src per room: files, all lines, and lines of code without docstrings, comments and blank lines.

python benchmarks/lines.py [COMMIT]            # of a commit; by default of the files as they stand
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from collections import defaultdict
from pathlib import Path

LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


def code_lines(text: str) -> int:
    """Number of lines on which there is code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def main(commit: str | None) -> None:
    listed = git("ls-files", "src/supernet") if commit is None else git("ls-tree", "-r", "--name-only", commit, "src")
    rooms: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for name in filter(lambda name: name.endswith(".py"), listed.splitlines()):
        text = Path(name).read_text(encoding="utf-8") if commit is None else git("show", f"{commit}:{name}")
        parts = Path(name).parts[2:]
        for room in (parts[0] if len(parts) > 1 else "top level", "total"):
            for i, count in enumerate((1, text.count("\n"), code_lines(text))):
                rooms[room][i] += count
    print(f"{'room':10} {'files':>6} {'lines':>7} {'code':>7}")
    for room in (*sorted(rooms.keys() - {"total"}), "total"):
        print(f"{room:10} {rooms[room][0]:6} {rooms[room][1]:7,} {rooms[room][2]:7,}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
