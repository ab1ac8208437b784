"""A headless Chromium, driven over a pipe: for the viewer's test and its bench, no package needed.

    with Chromium(tmp_folder) as browser:
        browser.open(page)                       # waits until `window.auglift` is there
        browser.run("auglift.playback.iFrame")   # any JavaScript; a promise is waited for
        browser.key("ArrowRight")
        browser.complaints                       # console errors, exceptions, requests to a network

The protocol is Chrome's DevTools protocol; `--remote-debugging-pipe` takes it as JSON with a NUL
after each message, on the file descriptors 3 and 4.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--mute-audio", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip
LONGEST_S = 60.0

# Python's subprocess passes descriptors on under their own numbers; Chromium wants 3 and 4.
LAUNCHER = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3])
os.dup2(read, 3); os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

KEY_CODES = {"ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, " ": 32, "Tab": 9}


def find_chromium() -> str | None:
    """Where Chromium is; None on a machine without."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), None)


class Chromium:
    """One browser with one page."""

    def __init__(self, folder: Path) -> None:
        self.complaints: list[str] = []
        self._folder = folder
        self._number = 0
        self._unread = b""

    def __enter__(self) -> Chromium:
        executable = find_chromium()
        if executable is None:
            raise FileNotFoundError("no Chromium on this machine")
        their_in, self._out = os.pipe()
        self._in, their_out = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(their_in), str(their_out), executable, *FLAGS,
             f"--user-data-dir={self._folder / 'profile'}", "about:blank"],
            pass_fds=(their_in, their_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(their_in)
        os.close(their_out)
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._out)  # Chromium ends with its pipe
        os.close(self._in)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    _session: str | None = None

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the protocol and its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end_s = time.monotonic() + LONGEST_S
        while True:
            answer = self._next(end_s)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self._listen(answer)

    def open(self, page: Path) -> None:
        """Load a viewer from disk and wait until it is there."""
        self.call("Page.navigate", url=page.absolute().as_uri())
        end_s = time.monotonic() + LONGEST_S
        while not self.run("document.readyState === 'complete' && 'auglift' in window"):
            if time.monotonic() > end_s:
                raise TimeoutError(f"{page} did not start: {self.complaints}")
            time.sleep(0.05)
        self.settle()

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def settle(self) -> None:
        """Wait until what has changed is drawn."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def key(self, key: str, modifiers: int = 0) -> None:
        """Press and release a key; `modifiers` 8 is Shift."""
        code = KEY_CODES.get(key, ord(key[0].upper()))
        about = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)
        self.settle()

    def mouse(self, path: list[tuple[float, float]], wheel: float = 0.0) -> None:
        """Press at the first point, move through the others and let go; or turn a wheel."""
        x, y = path[0]
        if wheel:
            about = {"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": wheel}
            self.call("Input.dispatchMouseEvent", **about)
        else:
            held = {"button": "left", "buttons": 1, "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **held)
            for x, y in path[1:]:
                self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, **held)
            self.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, **held)
        self.settle()

    def touch(self, steps: list[list[tuple[float, float]]]) -> None:
        """Put fingers down at the first step's points, move them through the others, lift them."""
        for i, points in enumerate(steps):
            kind = "touchMove" if i else "touchStart"
            spots = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=spots)
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.settle()

    def screen(self, width: int, height: int, *, phone: bool = False, dark: bool = False) -> None:
        """The window's size in CSS pixels, what it is touched with, and the system's theme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone,
        )  # fmt: skip
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone, maxTouchPoints=5)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.settle()

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _next(self, end_s: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._in], [], [], max(end_s - time.monotonic(), 0))
            chunk = os.read(self._in, 1 << 20) if ready else b""
            if not chunk:
                raise TimeoutError("Chromium does not answer")
            self._unread += chunk
        message, _, self._unread = self._unread.partition(b"\0")
        return dict(json.loads(message))

    def _listen(self, event: dict[str, Any]) -> None:
        about = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(about["exceptionDetails"])[:600])
            case "Runtime.consoleAPICalled" if about["type"] in ("error", "warning", "assert"):
                self.complaints.append(json.dumps(about["args"])[:600])
            case "Log.entryAdded" if about["entry"]["level"] in ("error", "warning"):
                self.complaints.append(about["entry"]["text"])
            case "Network.requestWillBeSent":
                url = about["request"]["url"]
                if not url.startswith(("file:", "data:", "blob:", "about:")):
                    self.complaints.append(f"asks the network for {url}")
