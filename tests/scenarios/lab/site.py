"""The lab's nginx: the shop's pages over TLS, its API and its pictures behind it."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.scenarios.lab.programs import LabError, lasting_port, until
from tests.services.nginx_server import _CONFIG, NginxServer, Pair, make_certificate

_SITE = """\
upstream api {{
    server 127.0.0.1:{api};
}}
upstream thumbs {{
    server 127.0.0.1:{thumbs};
}}
server {{
    listen 127.0.0.1:{port};
    listen 127.0.0.1:{tls_port} ssl;
    server_name localhost;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    root {root};
    index index.html;
    proxy_read_timeout 3s;
    location /api/ {{
        proxy_pass http://api;
    }}
    location /thumbs/ {{
        proxy_pass http://thumbs;
    }}
}}
"""

PAGE = """<!doctype html><html lang="en"><head><title>{title}</title><link rel="icon" href="data:,"></head>
<body><h1>Atelier shop</h1><p id="orders"></p><script src="/app.js"></script></body></html>
"""
SCRIPT = """fetch("/api/orders").then((answer) => answer.json()).then((found) => {
  document.getElementById("orders").textContent = found.orders.length + " orders";
});
"""


class Site(NginxServer):
    """One nginx with its site. `current` is the link to the release that it serves."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, lasting_port(), lasting_port())

    @property
    def current(self) -> Path:
        return self.folder / "site" / "current"

    @property
    def site_file(self) -> Path:
        return self.folder / "conf.d" / "shop.conf"

    def make(self, api_port: int, thumbs_port: int) -> None:
        """Write configuration, certificates and the first release."""
        (self.folder / "conf.d").mkdir(parents=True)
        self.config.write_text(_CONFIG.format(folder=self.folder))
        self.ca = make_certificate(self.folder, "lab-ca", ["lab"], ca=True)
        self.pair = self.certificate(days=80)
        self._ports = (api_port, thumbs_port)
        self.release("2024-11-03")
        self.write_site()
        for path in (self.folder, *self.folder.parents):
            if path.is_relative_to("/tmp") and path != Path("/tmp"):
                path.chmod(path.stat().st_mode | 0o055)

    def certificate(self, *, days: float, name: str = "shop") -> Pair:
        """Put a certificate for the site on the disk; nothing is reloaded."""
        return make_certificate(self.folder, name, ["127.0.0.1", "localhost"], days=days, issuer=self.ca)

    def write_site(self, *, api_port: int = 0) -> None:
        """Write the site's file as it should be, or with another port of the API; nothing is reloaded."""
        own, thumbs = self._ports
        text = _SITE.format(
            api=api_port or own,
            thumbs=thumbs,
            port=self.port,
            tls_port=self.tls_port,
            certificate=self.pair.certificate,
            key=self.pair.key,
            root=self.current,
        )
        self.site_file.write_text(text)

    def release(self, name: str, *, page: str = PAGE, script: str = SCRIPT, title: str = "Atelier") -> None:
        """Release files under a name: they are served at once."""
        folder = self.folder / "site" / "releases" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text(page.format(title=title))
        if script:
            (folder / "app.js").write_text(script)
        new = self.folder / "site" / "next"
        new.symlink_to(folder)
        os.replace(new, self.current)

    def take_back(self, name: str, to: str = "2024-11-03") -> None:
        """Serve the first release again, and forget another one."""
        new = self.folder / "site" / "next"
        new.symlink_to(self.folder / "site" / "releases" / to)
        os.replace(new, self.current)
        shutil.rmtree(self.folder / "site" / "releases" / name)

    def rotate(self) -> None:
        """Begin new logs, as logrotate does every night."""
        for log in (self.error_log, self.access_log):
            log.unlink(missing_ok=True)
        if self.pid:
            subprocess.run([*self.argv, "-s", "reopen"], check=True, capture_output=True, timeout=10)
            until(self.access_log.exists, 5, "nginx to open new logs")

    def age(self) -> None:
        """Date the configuration's files as files that have been there for a while."""
        past = time.time() - 86_400
        for file in (self.config, self.site_file):
            os.utime(file, (past, past))

    def status(self, path: str, *, tls: bool = False) -> int:
        """The status of a path; 0: no answer."""
        context = ssl.create_default_context(cafile=str(self.ca.certificate))
        url = f"{self.tls_url if tls else self.url}{path}"
        try:
            with urllib.request.urlopen(url, timeout=8, context=context) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def assert_healthy(self) -> None:
        """Fail where a page does not answer, or the files on the disk are not what is served."""
        if self.test().returncode:
            raise LabError(f"nginx -t fails: {self.test().stderr}")
        for path, tls in (("/", True), ("/api/orders", False), ("/thumbs/1.txt", False)):
            if (status := self.status(path, tls=tls)) != 200:
                raise LabError(f"{path} answers {status}")
