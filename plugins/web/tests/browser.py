"""Real Chromium, driven through chromedriver by the WebDriver protocol: JSON over HTTP, so no package is needed."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import select
import subprocess
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 30.0
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # of a container, where root runs the tests
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
)


class Browser:
    """One tab. Everything blocks."""

    def __init__(self, port: int) -> None:
        self._port = port
        options = {"args": list(ARGUMENTS)}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options}
        wanted["goog:loggingPrefs"] = {"browser": "ALL", "performance": "ALL"}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)) as line:
            line.request(method, path, json.dumps(body) if body is not None else None)
            answer = json.loads(line.getresponse().read())["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"{path}: {answer['message']}")
        return answer

    def open(self, url: str) -> None:
        self._call("POST", f"{self._session}/url", {"url": url})

    def run(self, script: str) -> Any:
        """What a function body returns."""
        return self._call("POST", f"{self._session}/execute/sync", {"script": script, "args": []})

    def until(self, script: str, wanted: Callable[[Any], bool] = bool) -> Any:
        """Look again until what it returns is so."""
        deadline = time.monotonic() + PATIENCE
        while not wanted(seen := self.run(script)):
            assert time.monotonic() < deadline, f"{script}: still {seen!r}"
            time.sleep(0.05)
        return seen

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self._call("POST", f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def look_like(self, width: int, height: int, scheme: str) -> None:
        """A window of this size, and a reader who likes it ``light`` or ``dark``."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.devtools("Emulation.setDeviceMetricsOverride", **metrics)
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._call("GET", f"{self._session}/screenshot")))

    def console(self) -> list[str]:
        """What the browser complained about since it was last asked."""
        said = self._call("POST", f"{self._session}/se/log", {"type": "browser"})
        return [each["message"] for each in said if each["level"] in {"SEVERE", "WARNING"}]

    def requests(self) -> list[str]:
        """Every address that was asked for since this was last asked."""
        said = [json.loads(each["message"])["message"] for each in self._log("performance")]
        return [each["params"]["request"]["url"] for each in said if each["method"] == "Network.requestWillBeSent"]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        return list(self._call("POST", f"{self._session}/se/log", {"type": kind}))

    def close(self) -> None:
        self._call("DELETE", self._session)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser, and its driver, until the end of the block."""
    with subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as driver:
        try:
            opened = Browser(_port_of(driver))
            try:
                yield opened
            finally:
                opened.close()
        finally:
            driver.terminate()


def _port_of(driver: subprocess.Popen[Any]) -> int:
    assert driver.stdout is not None
    said = b""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and select.select([driver.stdout], [], [], 1.0)[0]:
        said += driver.stdout.read1(4096)
        if found := re.search(rb"started successfully on port (\d+)", said):
            return int(found[1])
    raise TimeoutError(f"chromedriver did not start: {said!r}")
