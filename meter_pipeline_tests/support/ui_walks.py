"""What a person does in the browser to see that a server works in full, wherever it is served."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

PATIENCE_MS = 120_000
_POLICY = "Content Security Policy"


class Visit:
    """A page in which nothing may go wrong that only the console tells.

    Attributes:
        page: the page.
        frames: what came over its websockets.
        complaints: what the browser refused by our policy, and what broke.
    """

    def __init__(self, browser: Browser) -> None:
        self.page = browser.new_page(viewport={"width": 1500, "height": 950})
        self.page.set_default_timeout(PATIENCE_MS)
        self.frames: list[str] = []
        self.complaints: list[str] = []
        self.page.on("websocket", lambda each: each.on("framereceived", lambda frame: self.frames.append(str(frame))))
        self.page.on("console", lambda said: self.complaints.append(said.text) if _POLICY in said.text else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()


def walk_through_dagster(visit: Visit, base: str) -> str:
    """Launch a run in the launchpad, read its log as it comes, cancel it, look at the graph; return the run's id."""
    page = visit.page
    page.goto(f"{base}/locations/meter_pipeline/jobs/update/playground")
    page.get_by_role("button", name="Launch run").click()
    page.wait_for_url(re.compile("/runs/[0-9a-f-]{36}"))
    run_id = page.url.rpartition("/")[2][:36]
    page.get_by_text("STEP_START").first.wait_for()
    page.get_by_role("button", name="Terminate").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Terminate")).click()
    page.get_by_text("RUN_CANCELED").first.wait_for()
    assert any("pipelineRunLogs" in frame for frame in visit.frames), "the log comes over a websocket"
    page.locator('a[href$="/asset-groups"]').click()
    page.get_by_text("discovery", exact=True).first.wait_for()
    assert page.url.startswith(base)
    assert not visit.complaints
    return run_id


def walk_through_the_dashboard(visit: Visit, base: str, *, password: str = "") -> None:
    """Log in, and go from page to page, also to the one that has routes of its own."""
    page = visit.page
    page.goto(f"{base}/classes")
    if password:
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Classes", timeout=PATIENCE_MS)
    assert page.url == f"{base}/classes"
    page.get_by_role("link", name="Review").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Review", timeout=PATIENCE_MS)
    page.get_by_text("Nothing waits to be named", exact=False).first.wait_for()
    page.get_by_role("link", name="One photo").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One photo", timeout=PATIENCE_MS)
    assert page.url.startswith(base)
    assert not visit.complaints
