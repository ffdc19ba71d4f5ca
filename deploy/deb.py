"""A Debian package, of what is built already: the wheels of hafw and its plugins, man pages, completions.

``make deb`` calls it. The libraries that hafw needs are fetched with pip into the folder of the wheels; with
``make deb OFFLINE=1`` they have to be there already.

/opt/hafw is a virtual environment of the distribution's Python, made here and only unpacked there: nothing is built,
fetched or compiled at installation. It has compiled parts, so the package is for this Python, whose name it depends on.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

import hafw

TREE: Final = Path(__file__).parents[1]
PYTHON: Final = Path("/usr/bin/python3")
OLDEST: Final = (3, 11)
PROGRAM: Final = """\
#!/opt/hafw/bin/python3 -P
from hafw.cli import main

main()
"""
CONTROL: Final = """\
Package: hafw
Version: {version}
Section: net
Priority: optional
Architecture: {architecture}
Maintainer: hafw maintainers <hafw@localhost>
Installed-Size: {size}
Depends: {python}, libc6, passwd
Recommends: systemd
Suggests: nginx, haproxy
Description: pluggable failover daemon with VRRP
 Two or more machines share a virtual IP address. One is MASTER and holds it, the
 others are BACKUP and take it over when the MASTER dies, loses its link, or a
 check of its services fails.
 .
 hafw speaks VRRP versions 2 and 3 and works beside keepalived, whose notify
 scripts it runs unchanged. This package has hafw, its plugins and the Python
 libraries that they need, in /opt/hafw.
"""
COPYRIGHT: Final = """\
hafw and its plugins: MIT, see below. /opt/hafw has the libraries that they need too, each with its own licence, which
lies in its .dist-info folder:

{libraries}

{licence}"""
PLACES: Final = {
    "deploy/systemd/hafw.service": "usr/lib/systemd/system/hafw.service",
    "deploy/systemd/hafw-hardened.service": "usr/lib/systemd/system/hafw-hardened.service",
    "deploy/systemd/hafw.sysusers": "usr/lib/sysusers.d/hafw.conf",
    "deploy/systemd/hafw.tmpfiles": "usr/lib/tmpfiles.d/hafw.conf",
    "deploy/systemd/hafw.default": "etc/default/hafw",
    "examples/classic/config.toml": "usr/share/doc/hafw/examples/config.toml",
    "examples/classic/notify.sh": "usr/share/doc/hafw/examples/notify.sh",
    "docs/service.md": "usr/share/doc/hafw/service.md",
    "docs/configuration.md": "usr/share/doc/hafw/configuration.md",
    **{
        str(page.relative_to(TREE)): f"usr/share/doc/hafw/{page.relative_to(TREE / 'docs')}"
        for page in sorted((TREE / "docs/plugins").rglob("*.md"))
    },
}
"""What lies in this tree, and where it goes."""
COMPLETIONS: Final = {
    "bash": "usr/share/bash-completion/completions/hafw",
    "zsh": "usr/share/zsh/vendor-completions/_hafw",
    "fish": "usr/share/fish/vendor_completions.d/hafw.fish",
}


def main() -> None:
    """Build it, and print where it is."""
    parser = argparse.ArgumentParser(description="Build a Debian package of hafw.")
    parser.add_argument("build", type=Path, help="where the package is written")
    parser.add_argument("wheels", type=Path, help="the folder of the wheels of hafw and its plugins")
    parser.add_argument("--offline", action="store_true", help="what they need lies there too, and is not fetched")
    words = parser.parse_args()
    os.environ.setdefault("SOURCE_DATE_EPOCH", committed())
    python = system_python()
    root = words.build.resolve() / "deb"
    shutil.rmtree(root, ignore_errors=True)
    site = environment(root / "opt/hafw", python)
    if not words.offline:
        fetch(words.wheels, python.name.removeprefix("python"))
    install(root / "opt/hafw/bin/python3", words.wheels.resolve())
    tidy(root / "opt/hafw", site)
    place(root)
    document(root, site)
    settle(root)
    compile_all(root, site, python)
    settle(root)
    print(package(root, python, words.build.resolve()))


def committed() -> str:
    """When this source was made, in seconds since 1970: the package is then the same whoever builds it."""
    git = ["git", "-C", str(TREE), "log", "-1", "--format=%ct"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or str(int((TREE / "hafw/__init__.py").stat().st_mtime))


def system_python() -> Path:
    """The distribution's, with its minor version in its name, since what is compiled belongs to that."""
    if not PYTHON.exists():
        sys.exit(f"{PYTHON} is not there: apt-get install python3")
    python = PYTHON.resolve()
    version = tuple(int(each) for each in python.name.removeprefix("python").split("."))
    if version < OLDEST:
        sys.exit(f"{python} is older than 3.11, which hafw needs: build on Debian 12, Ubuntu 24.04 or newer")
    return python


def environment(folder: Path, python: Path) -> Path:
    """A virtual environment without pip; returns where its packages go.

    ``python -m venv`` would write the path of the build into it.
    """
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python3").symlink_to(python)
    version = python.name.removeprefix("python")
    (folder / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
    site = folder / f"lib/python{version}/site-packages"
    site.mkdir(parents=True)
    return site


def fetch(wheels: Path, version: str) -> None:
    """Into the folder of the own wheels, what they need, in the pinned versions, for this version of Python."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(wheels), "--python-version", version]
    pinned = ["--constraint", str(TREE / "constraints.txt"), "--only-binary=:all:"]
    subprocess.run([*pip, *pinned, *own(wheels)], check=True)


def install(python: Path, wheels: Path) -> None:
    """From that folder alone."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile"]
    source = ["--no-index", "--find-links", str(wheels), "--no-warn-script-location"]
    subprocess.run([*pip, *source, *own(wheels)], check=True)


def own(wheels: Path) -> list[str]:
    """Hafw and its plugins, in this version: a folder may have been used before."""
    return sorted(map(str, wheels.glob(f"hafw*-{hafw.__version__}-*.whl")))


def tidy(folder: Path, site: Path) -> None:
    """One program, with its place after installation; nothing that names the folder of the build."""
    for path in (folder / "bin").iterdir():
        if path.name != "python3":
            path.unlink()
    for name in ("man", "share", "include", "etc", "lib64"):
        path = folder / name
        path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)
    for path in site.glob("*.dist-info/direct_url.json"):
        path.unlink()
    for path in site.glob("*.dist-info/RECORD"):
        lines = path.read_text("utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "direct_url.json," not in line), "utf-8")
    (folder / "bin/hafw").write_text(PROGRAM)
    (folder / "bin/hafw").chmod(0o755)


def place(root: Path) -> None:
    """Everything beside /opt/hafw."""
    for source, target in PLACES.items():
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TREE / source, root / target)
    (root / "etc/hafw").mkdir(parents=True)
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/hafw").symlink_to("/opt/hafw/bin/hafw")
    for shell, target in COMPLETIONS.items():
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        (root / target).write_bytes(output(sys.executable, "-P", "-m", "hafw", "completion", shell))


def output(*command: str | Path) -> bytes:
    """What it prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def document(root: Path, site: Path) -> None:
    """Man pages, changelog, and whose the libraries are."""
    documents = root / "usr/share/doc/hafw"
    subprocess.run([sys.executable, TREE / "deploy/manual.py", root / "man"], check=True)
    for page in sorted((root / "man").iterdir()):
        squeeze(page.read_bytes(), root / f"usr/share/man/man{page.suffix[1:]}/{page.name}.gz")
    shutil.rmtree(root / "man")
    squeeze((TREE / "CHANGELOG.md").read_bytes(), documents / "CHANGELOG.md.gz")
    found = sorted(distributions(path=[str(site)]), key=lambda each: each.name.lower())
    libraries = "\n".join(f"  {each.name} {each.version}: {licence_of(each)}" for each in found)
    licence = (TREE / "LICENSE").read_text("utf-8")
    (documents / "copyright").write_text(COPYRIGHT.format(libraries=libraries, licence=licence), "utf-8")


def squeeze(content: bytes, target: Path) -> None:
    """The same octets at every build."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(content, 9, mtime=0))


def licence_of(library: Distribution) -> str:
    """In its own words, the short ones."""
    said = library.metadata.get_all("License-Expression") or library.metadata.get_all("License") or []
    classes = [each.rpartition(" :: ")[2] for each in library.metadata.get_all("Classifier") or [] if "License" in each]
    return next((each for each in [*said, ", ".join(classes)] if each and "\n" not in each), "see there")


def settle(root: Path) -> None:
    """Modes do not depend on who builds, nor times on when: the compiled files name the times of their sources."""
    when = int(os.environ["SOURCE_DATE_EPOCH"])
    for path in [root, *sorted(root.rglob("*"))]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (when, when), follow_symlinks=False)


def compile_all(root: Path, site: Path, python: Path) -> None:
    """By the Python that will run it: so nothing is written there at run time, and nothing is left after a removal."""
    script = (
        "import compileall, sys; compileall.compile_dir(sys.argv[1], quiet=1, stripdir=sys.argv[2], prependdir='/',"
        " invalidation_mode=__import__('py_compile').PycInvalidationMode.TIMESTAMP)"
    )
    subprocess.run([python, "-c", script, site, root], check=True, env={**os.environ, "PYTHONHASHSEED": "0"})


def package(root: Path, python: Path, folder: Path) -> Path:
    """Control files, sums, and the file itself."""
    control = root / "DEBIAN"
    control.mkdir()
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files]  # noqa: S324
    architecture = output("dpkg", "--print-architecture").decode().strip()
    size = sum(path.stat().st_size for path in files) // 1024
    fields = {"version": hafw.__version__, "architecture": architecture, "python": python.name, "size": size}
    (control / "control").write_text(CONTROL.format(**fields))
    (control / "md5sums").write_text("".join(sums))
    (control / "conffiles").write_text("/etc/default/hafw\n")
    settle(control)
    for name in ("postinst", "prerm", "postrm"):
        shutil.copy(TREE / "deploy/debian" / name, control / name)
        (control / name).chmod(0o755)
    target = folder / f"hafw_{hafw.__version__}_{architecture}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", "-Zxz", "-z3", root, target], check=True, stdout=2)
    return target


if __name__ == "__main__":
    main()
