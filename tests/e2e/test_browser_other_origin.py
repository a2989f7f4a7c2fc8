"""What a page of another site can do to a real Home Assistant, in a real browser."""

from collections.abc import AsyncGenerator
import json
from typing import Any

import aiohttp
from aiohttp import web
from playwright.async_api import Page, Response
import pytest

from tools.browser import browser
from tools.home_assistant import HomeAssistant, free_port
from tools.signature import SIGNED_PATH, Signer, nonce_in
from tools.station import OUTDOOR, add_station

SENSOR = "sensor.outdoor_temperature"
FORM = {"api_key": OUTDOOR.key, "field1": "66"}
URLENCODED = f"api_key={OUTDOOR.key}&field1=66"
BULK = json.dumps({"write_api_key": OUTDOOR.key, "updates": [{"field1": 66}]})
# Sends a request and returns its status, or why the page may not see it.
FETCH = """
async ([url, options]) => {
    try { return (await fetch(url, options)).status; }
    catch (error) { return error.name; }
}
"""
SUBMIT = """
([url, encoding, values]) => {
    const form = document.createElement("form");
    Object.assign(form, { action: url, method: "POST", enctype: encoding });
    for (const [name, value] of Object.entries(values)) {
        const input = document.createElement("textarea");
        Object.assign(input, { name, value });
        form.append(input);
    }
    document.body.append(form);
    form.submit();
}
"""


@pytest.fixture
async def other_site(socket_enabled: None) -> AsyncGenerator[str]:
    """Return the address of an empty page on another site, which knows the key."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(
            text="<!doctype html><body>Evil</body>", content_type="text/html"
        )

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    # Another host than Home Assistant's: another site, not just another port
    yield f"http://localhost:{port}/"
    await runner.cleanup()


class Evil:
    """A page of another site.

    `answers` has the method and the status of each answer to its last script that
    reached the browser, even if the page may not see it.
    """

    def __init__(self, page: Page, site: str, url: str) -> None:
        """Watch a page of the site; `url` is Home Assistant's."""
        self._page, self._site, self._url = page, site, url
        self.answers: list[tuple[str, int]] = []
        page.on("response", self._note)

    def _note(self, response: Response) -> None:
        if response.url.startswith(self._url):
            self.answers.append((response.request.method, response.status))

    async def run(self, script: str, path: str, *arguments: Any) -> Any:
        """Reopen the page and run a script with an address of Home Assistant."""
        self.answers.clear()
        await self._page.goto(self._site)
        return await self._page.evaluate(script, [self._url + path, *arguments])

    async def submit(self, path: str, encoding: str, values: dict[str, str]) -> str:
        """Submit a form to Home Assistant; return the text of the answer."""
        async with self._page.expect_navigation(url=self._url + path):
            await self.run(SUBMIT, path, encoding, values)
        return await self._page.inner_text("body")


async def _state(home_assistant: HomeAssistant) -> str:
    return str((await home_assistant.rest("GET", f"/api/states/{SENSOR}"))["state"])


async def test_page_of_another_site(
    home_assistant: HomeAssistant, other_site: str
) -> None:
    """It can request an address with a key that it knows, and nothing else."""
    await add_station(home_assistant, OUTDOOR)
    async with browser() as chromium:
        evil = Evil(await chromium.new_page(), other_site, home_assistant.url)

        # A GET is a report from any site, whose answer the page does not see.
        path = OUTDOOR.report_path(1, "20")
        assert await evil.run(FETCH, path, {}) == "TypeError"
        assert await _state(home_assistant) == "20.0"
        path = f"/update?api_key={OUTDOOR.key}&field1=21"
        assert await evil.run(FETCH, path, {"mode": "no-cors"}) == 0
        assert evil.answers == [("GET", 200)]
        assert await _state(home_assistant) == "21.0"

        # A form, or a script's request like one, is refused by POST, whatever the key.
        for path, body in (
            ("/update", URLENCODED),
            ("/update.json", json.dumps(FORM)),
            ("/channels/1/bulk_update.json", BULK),
            ("/channels/1/bulk_update.csv", f"{URLENCODED}&updates=0,66"),
        ):
            for kind in ("text/plain", "application/x-www-form-urlencoded"):
                options = {
                    "method": "POST",
                    "mode": "no-cors",
                    "body": body,
                    "headers": {"Content-Type": kind},
                    # Hides the origin of the page, as far as a browser does.
                    "referrerPolicy": "no-referrer",
                }
                assert await evil.run(FETCH, path, options) == 0
                assert evil.answers == [("POST", 401)]
        shown = await evil.submit("/update", "application/x-www-form-urlencoded", FORM)
        assert "A web page of another address has sent this." in shown
        await evil.submit("/channels/1/bulk_update.json", "text/plain", {BULK: ""})
        beacon = "([url, body]) => navigator.sendBeacon(url, body)"
        assert await evil.run(beacon, "/update", URLENCODED)

        # For all other requests, the browser asks first and is refused.
        for method in ("PUT", "PATCH", "DELETE"):
            options = {"method": method, "body": URLENCODED}
            assert await evil.run(FETCH, "/update", options) == "TypeError"
        as_json = {"Content-Type": "application/json"}
        options = {"method": "POST", "body": json.dumps(FORM), "headers": as_json}
        assert await evil.run(FETCH, "/update.json", options) == "TypeError"
        # A signature does not help either, since it needs its own headers.
        body, headers = await _signed(home_assistant)
        options = {"method": "POST", "body": body, "headers": headers}
        assert await evil.run(FETCH, SIGNED_PATH, options) == "TypeError"
    assert await _state(home_assistant) == "21.0"

    # The same requests are accepted from a program.
    async with aiohttp.ClientSession(home_assistant.url) as program:
        async with program.post("/update", data=FORM) as answer:
            assert answer.status == 200
        assert await _state(home_assistant) == "66.0"
        body, headers = await _signed(home_assistant, 67)
        async with program.post(SIGNED_PATH, data=body, headers=headers) as answer:
            assert answer.status == 200
    assert await _state(home_assistant) == "67.0"


async def _signed(
    home_assistant: HomeAssistant, value: float = 66
) -> tuple[str, dict[str, str]]:
    """Return a valid signed report."""
    reading = {"field": 1, "value": value}
    body = json.dumps({"mac": OUTDOOR.mac, "readings": [reading]})
    async with (
        aiohttp.ClientSession(home_assistant.url) as session,
        session.post(SIGNED_PATH) as refusal,
    ):
        nonce = nonce_in(refusal.headers["Accept-Signature"])
    signer = Signer(OUTDOOR.mac, OUTDOOR.key)
    return body, signer.headers(body.encode(), nonce)
