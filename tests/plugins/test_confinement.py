"""What a plugin process may not do."""

from __future__ import annotations

import os
import pwd
import resource

import msgspec
import pytest

from hafw.config.model import PluginLimits

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

LOOK = """
import json, resource
def descriptors():
    for name in os.listdir("/proc/self/fd"):
        try: yield os.readlink(f"/proc/self/fd/{name}").split(":")[0]
        except FileNotFoundError: pass  # the listing's own
def look():
    fields = dict(line.rstrip().split(":", 1) for line in open("/proc/self/status"))
    return {"output": json.dumps({
        "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
        "capabilities": [fields[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "no_new_privs": fields["NoNewPrivs"].strip(), "oom": open("/proc/self/oom_score_adj").read().strip(),
        "descriptors": sorted(descriptors()),
        "data": resource.getrlimit(resource.RLIMIT_DATA)[0], "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "session": os.getsid(0) == os.getpid(), "policy": os.sched_getscheduler(0),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "cpus": len(os.sched_getaffinity(0)),
        "environment": dict(os.environ), "cwd": os.getcwd(), "mask": os.umask(0o022)}), "exit": 0}
"""
LOOK_WHEN_MASTER = LOOK + "\n@hookimpl\ndef became_master(): return look()\n"
NO_CAPABILITIES = ["0000000000000000"] * 5


async def look(stage):
    stage.deliver("MASTER")
    await stage.plugins.drain(5)
    (result,) = stage.status().results
    assert result.error == ""
    return msgspec.json.decode(result.output)


async def test_limits_session_priority_and_descriptors(write, play, tmp_path):
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everywhere)})
    with (tmp_path / "secret").open("w") as left_open:
        os.set_inheritable(left_open.fileno(), True)
        try:
            async with play(write(LOOK_WHEN_MASTER)) as stage:
                seen = await look(stage)
        finally:
            os.sched_setaffinity(0, everywhere)
    assert seen["data"] == PluginLimits().memory
    assert (seen["core"], seen["session"], seen["policy"], seen["oom"]) == (0, True, os.SCHED_OTHER, "500")
    assert seen["cpus"] == len(everywhere)
    assert seen["descriptors"] == ["/dev/null", "pipe", "pipe", "socket"]
    assert (seen["cwd"], seen["mask"]) == ("/", 0o022)


@root
async def test_a_plugin_does_not_come_before_others_as_the_daemon_does(write, play):
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    try:
        async with play(write(LOOK_WHEN_MASTER)) as stage:
            seen = await look(stage)
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    assert seen["nice"] == 0


async def test_the_processors_that_the_daemon_does_not_want_for_itself_are_given_back(write, play, monkeypatch):
    first = min(os.sched_getaffinity(0))
    monkeypatch.setenv("HAFW_CPUS", str(first))
    async with play(write(LOOK_WHEN_MASTER)) as stage:
        seen = await look(stage)
    assert seen["cpus"] == 1
    assert "HAFW_CPUS" not in seen["environment"]


async def test_the_environment_holds_nobody_elses_secrets(write, play, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("MAIL_PASSWORD", "y")
    monkeypatch.setenv("HAFW_LOG", "json")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    source = """
        class Options(__import__("msgspec").Struct):
            password: Secret
        @hookimpl
        def options(): return Options
        """
    plugin = write(
        LOOK_WHEN_MASTER + "\n".join(line[8:] for line in source.splitlines()),
        options={"password": "env:MAIL_PASSWORD"},
    )
    async with play(plugin) as stage:
        environment = (await look(stage))["environment"]
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert environment["MAIL_PASSWORD"] == "y", "its own options ask for it"
    assert environment["HAFW_LOG"] == "json"
    assert environment["CREDENTIALS_DIRECTORY"] == "/run/credentials"
    assert environment["PATH"] == os.environ["PATH"]


@root
async def test_root_without_declared_needs_has_no_capability_and_gains_none(write, play):
    async with play(write(LOOK_WHEN_MASTER)) as stage:
        seen = await look(stage)
    assert (seen["uid"], seen["capabilities"], seen["no_new_privs"]) == (0, NO_CAPABILITIES, "1")


@root
async def test_a_plugin_with_a_check_is_nobody(write, play):
    plugin = write(LOOK_WHEN_MASTER + "\n@hookimpl\ndef check(): return Verdict(True)")
    nobody = pwd.getpwnam("nobody")
    async with play(plugin) as stage:
        seen = await look(stage)
        assert stage.status().user == "nobody"
    assert (seen["uid"], seen["gid"], seen["groups"]) == (nobody.pw_uid, nobody.pw_gid, [nobody.pw_gid])
    assert (seen["capabilities"], seen["no_new_privs"]) == (NO_CAPABILITIES, "1")


@root
async def test_needs_root_keeps_it(write, play):
    plugin = write(LOOK_WHEN_MASTER + "\nneeds_root = True\n@hookimpl\ndef check(): return Verdict(True)")
    async with play(plugin) as stage:
        seen = await look(stage)
    inheritable, permitted, effective, bounding, ambient = seen["capabilities"]
    assert (seen["uid"], inheritable, ambient) == (0, "0" * 16, "0" * 16)
    assert permitted == effective == bounding != "0" * 16
    assert seen["no_new_privs"] == "1"


@root
async def test_needs_privileges_lets_its_children_be_setuid_programs_and_nothing_else(write, play):
    plugin = write(LOOK_WHEN_MASTER + "\nneeds_privileges = True")
    async with play(plugin) as stage:
        seen = await look(stage)
    *own, bounding, ambient = seen["capabilities"]
    assert (own, ambient) == (["0" * 16] * 3, "0" * 16)
    assert bounding != "0" * 16
    assert seen["no_new_privs"] == "0"


@root
@pytest.mark.parametrize("user", ["nobody", "daemon"])
async def test_a_configured_user_is_that_user_with_its_groups_and_nothing_else(write, play, tmp_path, user):
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    entry = pwd.getpwnam(user)
    async with play(write(LOOK_WHEN_MASTER, user=user)) as stage:
        seen = await look(stage)
    assert (seen["uid"], seen["gid"]) == (entry.pw_uid, entry.pw_gid)
    assert (seen["capabilities"], seen["no_new_privs"]) == (NO_CAPABILITIES, "1")
    assert (seen["environment"]["HOME"], seen["environment"]["USER"]) == (entry.pw_dir, user)


@root
async def test_a_configured_root_keeps_its_capabilities(write, play):
    plugin = write(LOOK_WHEN_MASTER + "\n@hookimpl\ndef check(): return Verdict(True)", user="root")
    async with play(plugin) as stage:
        seen = await look(stage)
    assert seen["uid"] == 0
    assert seen["capabilities"][2] != "0" * 16


@root
async def test_a_secret_that_only_root_may_read_reaches_a_plugin_that_is_nobody(write, play, tmp_path):
    (tmp_path / "secret").write_text("sesame\n")
    (tmp_path / "secret").chmod(0o600)
    plugin = write(
        """
        class Options(__import__("msgspec").Struct):
            password: Secret
        @hookimpl
        def options(): return Options
        @hookimpl
        def configure(options): globals().update(found=options.password.reveal())
        @hookimpl
        def check(): return Verdict(True)
        @hookimpl
        def became_master(): return {"output": f"{os.getuid()} {found}", "exit": 0}
        """,
        options={"password": f"file:{tmp_path}/secret"},
    )
    async with play(plugin) as stage:
        stage.deliver("MASTER")
        await stage.plugins.drain(5)
        assert stage.status().results[0].output == f"{pwd.getpwnam('nobody').pw_uid} sesame"


@root
async def test_what_nobody_cannot_import_any_more_is_told_with_the_folder_and_the_way_out(write, play, tmp_path):
    (tmp_path / "modules").mkdir(mode=0o700)
    (tmp_path / "modules" / "late.py").touch()
    plugin = write(f"""
        __import__("sys").path.insert(0, "{tmp_path}/modules")
        @hookimpl
        def check(): return Verdict(True)
        @hookimpl
        def became_master(): import late
    """)
    async with play(plugin) as stage:
        stage.deliver("MASTER")
        await stage.plugins.drain(5)
        error = stage.status().results[0].error
    why = f"nobody cannot read {tmp_path}/modules: import at the top of the module what a hook needs"
    assert error.startswith(f"became_master raised ModuleNotFoundError: No module named 'late'; {why} (")


@root
async def test_a_check_that_is_nobody_finds_hosts_by_name_also_where_python_is_hidden_from_it(write, play):
    plugin = write("""
        import encodings, socket
        @hookimpl
        def check(): return Verdict(True)
        @hookimpl
        def became_master():
            encodings.__path__.clear()  # as if it could not be read
            return {"output": str(len(socket.getaddrinfo("127.0.0.1", 80)))}
    """)
    async with play(plugin) as stage:
        stage.deliver("MASTER")
        await stage.plugins.drain(5)
        (result,) = stage.status().results
    assert (result.error, int(result.output or 0) > 0) == ("", True)


async def test_too_many_open_files_are_its_own_trouble(write, play):
    async with play(write("@hookimpl\ndef became_master(): [os.dup(0) for _ in range(5000)]")) as stage:
        stage.deliver("MASTER")
        await stage.plugins.drain(5)
        assert "became_master raised OSError: [Errno 24]" in stage.status().results[0].error
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0
