"""The guide for installing from a wheel: built, installed, and what is in it answers."""

import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from urllib.request import urlopen

from tests.docs.guide import reader
from tests.docs.markdown import ROOT
from tests.support.ports import is_free
from tests.support.process import running
from tests.support.service import make_service
from tests.support.tables import copy_tables

GUIDE = ROOT / "docs" / "guides" / "wheel.md"


def test_installing_from_a_wheel(tmp_path: Path) -> None:
    """All files of the package are in it; its pages come with their styles.

    The packages it takes besides are those that are installed here: no index is asked.
    """
    service = make_service(tmp_path, sqlite=True)
    venv, wheels = tmp_path / "venv", tmp_path / "wheels"
    (tmp_path / "reader").mkdir()
    # The compiled parts are built and tried elsewhere; here they would take most of the time.
    environment = {"MAILMUM_COMPILE": "no", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    with reader(GUIDE, service, tmp_path / "reader", folder=ROOT, environment=environment) as guide:
        guide.places = {
            "/opt/mailmum/.venv": str(venv),
            ".venv/bin/python": sys.executable,
            "dist": str(wheels),
        }
        guide.handlers["python3 -m venv"] = lambda _: _environment(venv)
        guide.handlers["/opt/mailmum/.venv/bin/python -m pip install --require"] = lambda _: ""
        assert guide.follow() == 5
    [wheel] = wheels.glob("mailmum-*.whl")
    assert _files(ROOT / "src" / "mailmum") <= set(zipfile.ZipFile(wheel).namelist())
    copy_tables(service.data)
    port = int(service.web.rpartition(":")[2])
    # One part is enough to see that what it takes is in the wheel: the one that takes most.
    web: list[str | Path] = [venv / "bin" / "mailmum", "web", "--web", service.web]
    with running(web, lambda: not is_free(port), timeout=60, env=service.environment):
        page = _read(f"{service.url}/")
        [styles] = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
        assert ":root" in _read(f"{service.url}{styles}")


def _environment(folder: Path) -> str:
    """A fresh environment in which this one's packages are found, pip among them."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    [site] = folder.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return ""


def _files(package: Path) -> set[str]:
    """What is in the package, as a wheel names it, without what is made anew."""
    made = {".pyc", ".so"}
    files = (path for path in package.rglob("*") if path.is_file() and path.suffix not in made)
    return {path.relative_to(package.parent).as_posix() for path in files}


def _read(url: str) -> str:
    with urlopen(url, timeout=30) as reply:  # noqa: S310 (loopback)
        text: str = reply.read().decode()
    return text
