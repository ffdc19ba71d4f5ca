"""What the installed code has to show before the running daemon makes way for it."""

import io

import pytest

from hafw import lifeline
from hafw import will as last_will
from hafw.config.model import Config
from hafw.daemon.control import CommandError
from hafw.daemon.observe import LogWriter
from hafw.daemon.run import Daemon
from hafw.lifeline import Line


@pytest.fixture
async def daemon(tmp_path):
    writer = LogWriter(io.StringIO())
    made = Daemon(Config(path=str(tmp_path / "config.toml"), node_name="lb1", instances={}, plugins={}), writer)
    made.life.line, theirs = Line.pair()
    yield made
    made.life.line.close()
    theirs.close()
    writer.close()


@pytest.mark.parametrize("module", [lifeline, last_will])
async def test_code_that_the_running_guard_does_not_understand_is_refused(daemon, monkeypatch, module):
    monkeypatch.setattr(module, "VERSION", module.VERSION - 1)
    with pytest.raises(CommandError, match="guard is of another version: restart the service") as refused:
        await daemon.succession.command({})
    assert refused.value.kind == "other-guard"


async def test_code_that_it_understands_has_to_read_the_configuration(daemon):
    for _ in range(2):  # a refusal is not the end: it may be asked again
        with pytest.raises(CommandError, match=r"(?s)does not start:.*config\.toml") as refused:
            await daemon.succession.command({})
        assert refused.value.kind == "not-startable"
