"""A page in a real browser, and what a script of the test tells about it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
    "--dump-dom",
)

Open = Callable[..., str]


@pytest.fixture
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Open:
    """Opens a page and returns its document as the browser sees it when everything is drawn."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        if os.environ.get("SUPERNET_NO_BROWSER") == "1":
            pytest.skip("SUPERNET_NO_BROWSER=1: the page is not tested in a browser")
        pytest.fail(
            f"None of {', '.join(BROWSERS)} is on the PATH. Install one (Debian, Ubuntu: apt-get install chromium; "
            "macOS: brew install chromium), or set SUPERNET_NO_BROWSER=1 to do without these tests."
        )

    def open_page(page: Path, *, width: int = 1200, dark: bool = False) -> str:
        profile = tmp_path_factory.mktemp("profile")
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        done = subprocess.run(
            [browser, *FLAGS, scheme, f"--window-size={width},900", f"--user-data-dir={profile}", page.as_uri()],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=True,
        )
        return done.stdout

    return open_page


def root_element(dom: str) -> str:
    found = re.search(r"<html[^>]*>", dom)
    assert found is not None
    return found[0]


def watched(page: Path, script: str) -> Path:
    """A copy of a page with a script of the test in it."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    copy = page.with_name("watched.html")
    copy.write_text(text.replace("</body>", script), encoding="utf-8")
    return copy


def told_by(dom: str) -> dict[str, Any]:
    assert "data-error" not in root_element(dom)
    found = re.search(r'<pre id="told">(.*?)</pre>', dom, re.S)
    assert found is not None
    told: dict[str, Any] = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return told
