"""The options about TLS that ``tcp`` and ``http`` have in common."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hafw.api import user_name

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """Whom to believe. Of a plugin that may also speak in clear text."""

    server_name: str = ""
    """The name on the certificate, sent as SNI; empty: the host's."""
    ca_file: str = ""
    """PEM file of those who may sign the certificate; empty: the system's."""
    insecure: bool = False
    """Accept any certificate."""


def context_of(options: TlsOptions) -> ssl.SSLContext:
    """Raises ``OSError`` or ``ssl.SSLError`` where the file of ``ca_file`` is no good."""
    context = ssl.create_default_context(cafile=options.ca_file or None)
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def tls_mistakes(options: TlsOptions, *, used: str) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work; ``used``: what is missing for them to mean anything, empty if nothing is."""
    for key in ("server_name", "ca_file", "insecure"):
        if used and getattr(options, key):
            yield key, f"= {_shown(getattr(options, key))}: has a meaning with {used} only: leave it out"
    if options.insecure and options.ca_file:
        yield "ca_file", f'= "{options.ca_file}": says nothing with insecure = true: leave one of them out'
    if options.ca_file:
        yield from (("ca_file", each) for each in _file_mistakes(options.ca_file))


def _shown(value: object) -> str:
    return "true" if value is True else f'"{value}"'


def _file_mistakes(path: str) -> Iterator[str]:
    if not Path(path).is_absolute():
        yield f'= "{path}": must be an absolute path'
        return
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        yield f'= "{path}": must hold certificates in PEM form (-----BEGIN CERTIFICATE-----)'
    except PermissionError:
        yield f'= "{path}": {user_name()} may not read it: chmod a+r {path}, or set user'
    except OSError as error:
        yield f'= "{path}": cannot be read: {(error.strerror or str(error)).lower()}'
