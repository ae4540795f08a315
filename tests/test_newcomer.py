"""A newcomer's hour: from a wheel and an empty environment to a class for a JPEG, by the commands alone.

pytest -n 0 -s -m slow tests/test_newcomer.py   downloads what setup.cfg needs
"""

import base64
import html.parser
import http.server
import json
import os
import pathlib
import shlex
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from tests.data.photos import CLASSES, draw_photos

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Newcomer:
    """Gives commands in a folder, and notes how many there were and how long each took."""

    def __init__(self, folder):
        self.folder, self.commands = folder, []

    def give(self, command):
        # Nothing of the environment that runs the tests may help.
        keep = ("HOME", "LANG", "TMPDIR", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_CACHE_DIR")
        environment = {name: os.environ[name] for name in keep if name in os.environ}
        environment["PATH"] = f"{self.folder}/env/bin:{sys.base_prefix}/bin:/usr/bin:/bin"
        began = time.monotonic()
        ran = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=1800,
        )
        self.commands.append((time.monotonic() - began, command))
        assert ran.returncode == 0, f"{command}\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
        return ran.stdout + ran.stderr

    def tell(self):
        lines = [f"{seconds:7.1f} s  {command}" for seconds, command in self.commands]
        minutes = sum(seconds for seconds, _ in self.commands) / 60
        return "\n".join([*lines, f"{len(self.commands)} commands, {minutes:.1f} minutes"])


class Page(html.parser.HTMLParser):
    """The text of a page, and the tags that are open at its end."""

    VOID = {"meta", "img", "br", "hr", "link", "input"}

    def __init__(self, text):
        super().__init__()
        self.text, self.open, self.headings, self.images = "", [], [], 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.images += tag in ("img", "svg")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            del self.open[len(self.open) - 1 - self.open[::-1].index(tag) :]

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def ask(export, picture):
    """What the server on loopback answers to a JPEG."""
    from tests.serving.test_rest import Handler, Served

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.versions = {1: Served(export / "1")}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        content = base64.b64encode(picture.read_bytes()).decode()
        body = {"signature_name": "encoded", "instances": [{"b64": content}]}
        url = f"http://127.0.0.1:{server.server_port}/v1/models/classifier:predict"
        request = urllib.request.Request(url, json.dumps(body).encode())
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["predictions"][0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.slow
def test_the_first_hour(tmp_path):
    draw_photos(tmp_path / "photos")
    assert len(list((tmp_path / "photos").rglob("*.*"))) == 180
    wheel = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        f"--wheel-dir={tmp_path}",
    ]
    subprocess.run([*wheel, str(ROOT)], check=True)
    (file,) = tmp_path.glob("tfrobust-*.whl")
    newcomer = Newcomer(tmp_path)
    newcomer.give(f"{shlex.quote(sys.base_prefix)}/bin/python3 -m venv env")
    newcomer.give(f"env/bin/pip install --quiet {file.name}")
    assert "A robust classifier can be trained here." in newcomer.give("tfrobust doctor")
    binding = shlex.quote('FOLDER = "photos"')
    newcomer.give(
        f"tfrobust train --gin_file=gin/your_images.gin --gin_bindings={binding} --workdir=runs/photos"
    )
    assert "report.html" in newcomer.give("tfrobust evaluate --model=runs/photos")
    (report,) = (tmp_path / "runs" / "photos" / "evaluation").rglob("report.html")
    page = Page(report.read_text(encoding="utf-8"))
    assert page.open == [] and page.images > 0 and page.headings
    assert "robust" in page.text and "AutoAttack" in page.text
    newcomer.give("tfrobust export --model=runs/photos --workdir=served")
    picture = next(iter(sorted((tmp_path / "photos" / "circle").glob("*.jpg"))))
    answer = ask(tmp_path / "served", picture)
    assert answer["class_name"] == CLASSES[answer["class"]]
    assert abs(sum(answer["probabilities"]) - 1) < 1e-5
    # Three classes of bright shapes: most of them are learned.
    pictures = sorted((tmp_path / "photos").rglob("*.jpg"))[:30]
    told = [
        ask(tmp_path / "served", picture)["class_name"] == picture.parent.name
        for picture in pictures[::6]
    ]
    assert sum(told) > len(told) / 2
    print("\n" + newcomer.tell())
