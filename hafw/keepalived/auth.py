"""``authentication``: a password, or signed adverts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.config.values import format_duration

if TYPE_CHECKING:
    from hafw.keepalived.draft import Value
    from hafw.keepalived.language import Statement
    from hafw.keepalived.reading import Router

_PASSWORD_MAX = 8
_CHOICES = {"mode": ("enforce", "permissive", "receive-only"), "anti_replay": ("time", "monotonic")}
"""The first of each is the default."""


def read_password(router: Router, body: list[Statement]) -> tuple[dict[str, Value] | None, Statement | None]:
    """``auth_type PASS`` and ``auth_pass``; nothing where there is no password to carry over."""
    kind, password, line = "", "", None
    for each in body:
        line = each
        if each.word == "auth_type":
            kind = _kind(router, each)
        elif each.word == "auth_pass":
            password = _password(router, each)
        else:
            router.note(each, "decide", "belongs into auth_hmac")
    if kind == "AH":
        for each in body:
            if each.word == "auth_pass":
                router.note(each, "dropped", "was the key of IPsec AH")
        return None, None
    if not password:
        if line is not None and kind != "NONE":
            router.note(line, "decide", "there is no password with it: keepalived ignored the block, and so does hafw")
        return None, None
    line = next(each for each in body if each.word == "auth_pass")
    if not kind:
        router.report.add(line.place, line.text, "changed", "without auth_type: taken as PASS")
    return {"type": "pass", "password": password}, line


def _kind(router: Router, statement: Statement) -> str:
    given = next(iter(router.only(statement)), "")
    kind = given.upper()
    if kind != given:
        why = f"keepalived knows `{kind}` only, and ignored it: adverts had no password. Here they have: see the others"
        router.report.add(statement.place, statement.text, "decide", why)
    if kind == "AH":
        why = (
            "hafw does not speak IPsec AH, and no router that does hears it: change both at once, or sign the adverts "
            'with auth = { type = "hmac", ... }'
        )
        router.note(statement, "decide", why)
    elif kind not in ("PASS", "NONE"):
        router.report.add(statement.place, statement.text, "changed", "must be PASS or AH: taken as PASS")
        return "PASS"
    return kind


def _password(router: Router, statement: Statement) -> str:
    given = next(iter(router.only(statement)), "")
    octets = given.encode()
    if len(octets) <= _PASSWORD_MAX:
        return given
    why = f"a password has {_PASSWORD_MAX} octets at most, and keepalived sends no more of it: cut there"
    router.report.add(statement.place, statement.text, "changed", why)
    return octets[:_PASSWORD_MAX].decode(errors="ignore")


def read_hmac(router: Router, body: list[Statement]) -> dict[str, Value] | None:
    """``auth_hmac { key 1 file:/path ... }``: hafw reads a key from a file of its own."""
    keys: dict[str, Value] = {}
    found: dict[str, Value] = {"type": "hmac", "keys": keys}
    for each in body:
        if each.word == "key":
            _key(router, each, keys)
        elif each.word == "active_key":
            found |= {"active": number} if (number := router.whole(each, 1, 255)) is not None else {}
        elif each.word in _CHOICES:
            found |= _choice(router, each)
        elif each.word == "time_window":
            seconds = router.number(each, 1, 300)
            found |= {"window": format_duration(seconds)} if seconds is not None else {}
        else:
            router.note(each, "decide", "belongs into authentication")
    if not keys:
        return None
    if len(keys) > 1 and "active" not in found:
        found["active"] = int(next(iter(keys)))
    return found


def _choice(router: Router, statement: Statement) -> dict[str, Value]:
    words, given = _CHOICES[statement.word], next(iter(router.only(statement)), "")
    if given not in words:
        router.note(statement, "decide", f"must be {', '.join(words)}: {words[0]} is taken")
    return {statement.word: given} if given in words[1:] else {}


def _key(router: Router, statement: Statement, keys: dict[str, Value]) -> None:
    given = statement.arguments
    if len(given) < 2 or not given[0].isdecimal() or not 1 <= int(given[0][:4]) <= 255:
        router.note(statement, "decide", "needs an id, 1 to 255, and the key")
        return
    number = str(int(given[0]))
    if given[1].startswith("file:/"):
        keys[number] = given[1]
        return
    path = f"/etc/hafw/vrrp-{number}.key"
    keys[number] = f"file:{path}"
    why = f"hafw wants a key in a file of its own: put it without the number into {path}, then chmod 600 {path}"
    router.note(statement, "decide", why)
