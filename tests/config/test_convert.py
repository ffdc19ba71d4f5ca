"""The typed reading that plugins share: every supported type, right and wrong."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping, Sequence  # noqa: TC003 - the options' type is read at run time
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafw.config.convert import Duration, Secret, convert, parse_duration
from hafw.config.hiding import HIDDEN, as_written, in_force, untyped
from hafw.config.schema import schema_of
from hafw.config.values import format_duration


class Server(msgspec.Struct, rename="kebab"):
    host_name: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 25


SECOND = Duration(1.0)


class Level(Enum):
    LOW = "low"
    SEVEN = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    from_: str
    to: list[str] = field(default_factory=list)
    on: tuple[Literal["master", "fault"], ...] = ()
    pair: tuple[int, str] = (1, "")
    wait: Duration = SECOND
    wide: Annotated[Duration, msgspec.Meta(gt=0)] = SECOND
    ratio: float | None = None
    password: Secret | None = None
    server: Server | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    words: Sequence[str] = ()
    either: str | Server | bool = False
    name: Annotated[str, msgspec.Meta(pattern="^[a-z]*$", extra={"rule": "must be letters"})] = ""
    anything: Any = None
    level: Level = Level.LOW
    levels: tuple[Level | bool, ...] = ()

    def __post_init__(self) -> None:
        if self.from_ == "nobody":
            raise ValueError("nobody sends no mail")


def read(**keys: Any) -> Any:
    options, problems = convert({"from": "me", **keys}, Options, "plugin.mail")
    assert problems == []
    return options


def complaint(**keys: Any) -> str:
    options, problems = convert({"from": "me", **keys}, Options, "plugin.mail")
    assert options is None
    (problem,) = problems
    return problem.render("c").removeprefix("c: plugin.mail.")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("to", ["a", "b"], ["a", "b"]),
        ("on", ["fault"], ("fault",)),
        ("pair", [2, "x"], (2, "x")),
        ("wait", "1.5s", 1.5),
        ("ratio", 2, 2.0),
        ("password", "x", Secret("x")),
        ("server", {"host-name": "h"}, Server("h", 25)),
        ("ports", {"a": 1}, {"a": 1}),
        ("words", ["a"], ["a"]),
        ("either", "x", "x"),
        ("either", {"host-name": "h"}, Server("h")),
        ("either", True, True),
        ("anything", {"a": [1]}, {"a": [1]}),
        ("level", "low", Level.LOW),
        ("level", 7, Level.SEVEN),
        ("levels", [7, True], (Level.SEVEN, True)),
    ],
)
def test_value_is_read_as_its_type(key: str, value: object, expected: object):
    found = getattr(read(**{key: value}), key)
    assert found == expected
    assert type(found) in (type(expected), Duration)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"to": "a"}, 'to = "a": must be a list: ["a"]'),
        ({"to": ["a", 1]}, "to[1] = 1: must be a string"),
        ({"on": ["mastre"]}, 'on[0] = "mastre": must be "master" or "fault" (did you mean master?)'),
        ({"pair": [1]}, "pair = [1]: must have 2 entries"),
        ({"pair": [1, 2]}, "pair[1] = 2: must be a string"),
        ({"level": "seven"}, 'level = "seven": must be "low" or 7'),
        ({"level": "lwo"}, 'level = "lwo": must be "low" or 7 (did you mean low?)'),
        ({"levels": ["x"]}, 'levels[0] = "x": must be "low" or 7 or true or false'),
        ({"wait": 3}, 'wait = 3: a duration needs a unit: "3s" or "3ms"'),
        ({"wait": True}, 'wait = true: must be a duration such as "100ms", "1.5s", "10m" or "1h"'),
        ({"wait": {"a": 1}}, "wait: is a table: must be a duration"),
        ({"wait": "9999999h"}, 'wait = "9999999h": must be at most 8784h, a year'),
        ({"wide": "0s"}, 'wide = "0s": must be more than 0s'),
        ({"ratio": float("inf")}, "ratio = inf: must be a finite number"),
        ({"ratio": True}, "ratio = true: must be a number"),
        ({"password": ["x"]}, "password: must be a string: the secret, or file:/path, env:NAME or credential:NAME"),
        ({"password": "env:"}, "password: env: names nothing: file:/path, env:NAME or credential:NAME"),
        ({"server": "x"}, "server: is a string: must be a table"),
        ({"server": {}}, "server.host-name: is missing: a string is required"),
        ({"server": {"host-name": "x", "port": 0}}, "server.port = 0: must be 1 to 65535"),
        ({"server": {"host-name": "x", "prot": 1}}, "server.prot: unknown key (did you mean port?)"),
        ({"ports": {"a": "1"}}, 'ports.a = "1": must be a whole number'),
        ({"ports": [1]}, "ports: is a list: must be a table"),
        ({"either": 1}, "either: is a whole number: must be a string, a table or true or false"),
        ({"name": "A"}, 'name = "A": must be letters'),
        ({"fron": 1}, "fron: unknown key (did you mean from?)"),
    ],
)
def test_wrong_value_is_named_with_its_rule(keys: dict[str, Any], expected: str):
    assert complaint(**keys) == expected


def test_refusal_of_the_type_itself_is_a_problem_too():
    assert convert({"from": "nobody"}, Options, "x")[1][0].message == "nobody sends no mail"


def test_every_mistake_is_collected():
    _, problems = convert({"to": 1, "wait": 1, "server": {"port": 0}, "x": 1}, Options, "p")
    paths = [problem.path for problem in problems]
    assert paths == ["p.x", "p.from", "p.to", "p.wait", "p.server.host-name", "p.server.port"]


def test_type_that_toml_cannot_hold_is_the_plugin_authors_error():
    with pytest.raises(TypeError, match="p: a value of type <class 'complex'> cannot be read from TOML"):
        convert(1, complex, "p")
    with pytest.raises(TypeError, match="cannot be read from TOML: declare it str, and make a Path of it in configure"):
        convert("/etc", Path, "p")


@given(st.floats(0, 366 * 24 * 3600).map(lambda seconds: round(seconds, 3)))
def test_duration_survives_its_own_spelling(seconds: float):
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "seconds"), [("100ms", 0.1), ("1.5s", 1.5), ("10m", 600.0), ("1h", 3600.0), ("0s", 0.0), ("40.95s", 40.95)]
)
def test_duration_is_seconds(text: str, seconds: float):
    assert parse_duration(text) == seconds
    assert parse_duration(str(Duration(seconds))) == seconds


@pytest.mark.parametrize("text", ["", "1", "s", "-1s", "1 s", "1s ", "1d", "1e3s", "١s", "1.s", "nans"])  # noqa: RUF001
def test_text_that_is_no_duration_is_refused(text: str):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_c_sec_07_secret_shows_only_when_asked():
    secret = Secret("geheim")
    shown = [str(secret), repr(secret), f"{secret}", repr([secret]), repr(read(password="geheim"))]
    assert not any("geheim" in text for text in shown)
    assert secret.reveal() == "geheim"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


def test_secret_comes_from_file_environment_or_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "vrrp.pass"
    file.write_text("from file\n")
    file.chmod(0o600)
    (tmp_path / "smtp").write_text("from systemd")
    monkeypatch.setenv("HAFW_SECRET", "from environment")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for source, expected in {
        f"file:{file}": "from file",
        "env:HAFW_SECRET": "from environment",
        "credential:smtp": "from systemd",
    }.items():
        assert read(password=source).password.reveal() == expected
    unread, problems = convert(f"file:{file}", Secret, "p", machine=False)
    assert (problems, unread.known, unread.reveal()) == ([], False, "")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "is empty"),
        (b"\xff", "must be UTF-8 text"),
        (b"x" * 5000, "is longer than 4096 octets"),
        (None, "no such file"),
    ],
)
def test_secret_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes | None, rule: str):
    file = tmp_path / "vrrp.pass"
    if content is not None:
        file.touch(0o600)
        file.write_bytes(content)
    assert rule in complaint(password=f"file:{file}")


def test_secret_in_a_pipe_does_not_stop_the_reader(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert complaint(password=f"file:{tmp_path}/pipe") == f"password: {tmp_path}/pipe must be a regular file"


def test_credential_needs_systemd_and_a_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert complaint(password="credential:x").endswith(
        "no systemd credentials here: LoadCredential=x:/path in the unit"
    )
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/")
    assert complaint(password="credential:etc/passwd").endswith("must be a name, not a path")


class Login(msgspec.Struct):
    pin: Secret
    user: str = ""
    next: Login | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Safe:
    """Every place in which a plugin may declare a secret, and names that sound like one."""

    pins: tuple[Secret, ...] = ()
    two: tuple[Secret, Secret] | None = None
    few: Annotated[list[Secret], msgspec.Meta(max_length=2)] = field(default_factory=list)
    ways: dict[str, Secret] = field(default_factory=dict)
    maybe: Secret | list[Secret] | None = None
    plain: str | Secret = ""
    login: Login | None = None
    logins: Annotated[list[Login], msgspec.Meta(max_length=2)] = field(default_factory=list)
    anything: Any = None
    auth: str = ""
    url: str = ""
    token_lifetime: Duration = SECOND
    on: tuple[str, ...] = ("master",)
    from_: int = 3


SECRETS: dict[str, Any] = {
    "pins": ["LEAK0"],
    "two": ["LEAK1", "env:HAFW_PIN"],
    "few": ["LEAK2"],
    "ways": {"X-Api": "LEAK3"},
    "maybe": ["LEAK4"],
    "plain": "LEAK5",
    "login": {"pin": "LEAK6", "user": "me", "next": {"pin": "LEAK7"}},
    "logins": [{"pin": "LEAK8"}],
    "anything": {"deep": [{"pass_phrase": "LEAK9", "X-Api-Key": "LEAK10", "port": 25}]},
    "auth": "LEAK11",
    "url": "http://u:LEAK12@h/?a=b&apikey=LEAK13",
}


def test_a_member_of_an_enumeration_is_shown_and_described_as_the_file_says_it():
    shown = in_force(read(level=7, levels=["low"]))
    assert (shown["level"], shown["levels"]) == (7, ["low"])
    keys = schema_of(Options)["properties"]
    assert keys["level"] == {"enum": ["low", 7], "default": "low"}


def test_what_is_in_force_has_every_default_and_no_secret_wherever_it_is_declared(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAFW_PIN", "LEAK14")
    options, problems = convert(SECRETS, Safe, "p")
    assert problems == []
    assert in_force(options) == {
        "pins": [HIDDEN],
        "two": [HIDDEN, "env:HAFW_PIN"],
        "few": [HIDDEN],
        "ways": {"X-Api": HIDDEN},
        "maybe": [HIDDEN],
        "plain": HIDDEN,
        "login": {"pin": HIDDEN, "user": "me", "next": {"pin": HIDDEN, "user": ""}},
        "logins": [{"pin": HIDDEN, "user": ""}],
        "anything": {"deep": [{"pass_phrase": HIDDEN, "X-Api-Key": HIDDEN, "port": 25}]},
        "auth": HIDDEN,
        "url": f"http://u:{HIDDEN}@h/?a=b&apikey={HIDDEN}",
        "token_lifetime": "1s",
        "on": ["master"],
        "from": 3,
    }
    assert in_force(Safe()) == {
        "pins": [],
        "few": [],
        "ways": {},
        "plain": "",
        "logins": [],
        "auth": "",
        "url": "",
        "token_lifetime": "1s",
        "on": ["master"],
        "from": 3,
    }
    assert in_force(object()) == HIDDEN, "nobody knows what its text would be"


def test_of_what_stands_in_the_file_a_key_that_nobody_knows_shows_nothing():
    wrote = {**SECRETS, "pasword": "LEAK", "pni": 1234, "lgoin": {"a": ["LEAK"]}, "empty": "", "yes": True}
    options, _ = convert({**SECRETS, "two": ["a", "b"]}, Safe, "p")
    shown = as_written("", wrote, in_force(options))
    assert "LEAK" not in str(shown)
    assert (shown["login"]["user"], shown["anything"]["deep"][0]["port"]) == ("me", 25)
    assert [shown[key] for key in ("pasword", "pni", "lgoin")] == [HIDDEN, HIDDEN, {"a": [HIDDEN]}]
    assert (shown["empty"], shown["yes"]) == ("", True)
    assert as_written("", wrote, None) == untyped("", wrote)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"pins": "LEAK"}, "pins: is a string: must be a list"),
        ({"two": ["LEAK"]}, "two: must have 2 entries"),
        ({"few": ["LEAK"] * 3}, "few: must have at most 2 entries"),
        ({"ways": {"a": ["LEAK"]}}, "ways.a: must be a string: the secret, or file:/path, env:NAME or credential:NAME"),
        ({"maybe": 4711}, "maybe: is a whole number: must be a string or a list"),
        ({"login": ["LEAK"]}, "login: is a list: must be a table"),
        ({"logins": "LEAK"}, "logins: is a string: must be a list"),
        ({"logins": [{"pin": "LEAK"}] * 3}, "logins: must have at most 2 entries"),
    ],
)
def test_no_mistake_shows_what_may_be_a_secret(keys: dict[str, Any], expected: str):
    _, (problem,) = convert(keys, Safe, "p")
    assert problem.render("c") == f"c: p.{expected}"
