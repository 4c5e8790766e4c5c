"""`hcl run`: the job is as it would be without, and the server hears of it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.client.running import (
    KEY,
    ended,
    environment,
    hcl,
    kept,
    start,
    told,
)
from tests.patience import ENDS
from tests.sinks import HttpSink

LIMIT = (("Ping-Body-Limit", "1000"),)


def memory(pid: int) -> int:
    """Return the resident memory of a process in kB; 0: it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if "VmRSS" in line), 0)


async def test_start_and_end_are_told_of_one_run(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)

        ran = await hcl(env, "run", "job", "--", "sh", "-c", "echo out; echo err >&2")

        assert (ran.status, ran.out, ran.err) == (0, b"out\n", "err\n")
        begun, end = await sink.wait_for(2)
        assert told([begun, end]) == ["/start", "/0"]
        rid = begun.target.partition("?rid=")[2]
        assert len(rid) == 36
        assert end.target.endswith(f"?rid={rid}")
        assert sorted(end.text.splitlines()) == ["err", "out"]
        assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("script", "status", "told_status"),
    [
        ("exit 3", 3, "/3"),
        ("exit 255", 255, "/255"),
        ("kill -TERM $$", -15, "/143"),
        ("kill -KILL $$", -9, "/137"),
        ("kill -SEGV $$", -11, "/139"),
    ],
)
async def test_exit_status_is_its_own(
    tmp_path: Path, script: str, status: int, told_status: str
) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)

        ran = await hcl(env, "run", "job", "--", "sh", "-c", script)

        assert ran.status == status
        assert told(await sink.wait_for(2)) == ["/start", told_status]
        body = sink.records[-1].text
        assert body == ("" if status > 0 else f"killed by signal {-status}")


@pytest.mark.parametrize("is_there", [False, True])
async def test_command_that_cannot_start_is_a_failure(
    tmp_path: Path, is_there: bool
) -> None:
    command = tmp_path / "job"
    if is_there:
        command.write_text("no program")
    async with HttpSink() as sink:
        ran = await hcl(
            environment(tmp_path, sink.url), "run", "job", "--", str(command)
        )

        status = 126 if is_there else 127
        why = "permission denied" if is_there else "no such file or directory"
        assert (ran.status, ran.out) == (status, b"")
        assert ran.err == f"hcl run: {command}: {why}\n"
        assert told(await sink.wait_for(1)) == [f"/{status}"]
        assert sink.records[0].text == f"{command}: {why}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--timeout", "9s", "job", "--", "echo", "--", "-x"],
        ["job", "--timeout", "9s", "--", "echo", "--", "-x"],
        ["job", "echo", "-x"],
    ],
)
async def test_options_stand_before_the_dashes(
    tmp_path: Path, arguments: list[str]
) -> None:
    ran = await hcl(environment(tmp_path), "run", "--quiet", *arguments)

    expected = b"-x\n" if arguments[1] == "echo" else b"-- -x\n"
    assert (ran.status, ran.out, ran.err) == (0, expected, "")


async def test_signals_are_handed_on(tmp_path: Path) -> None:
    script = "trap 'echo usr1' USR1; trap 'echo term; exit 7' TERM; echo up; "
    script += "while :; do sleep 0.05; done"
    async with HttpSink() as sink:
        job = await start(
            environment(tmp_path, sink.url), "run", "job", "--", "sh", "-c", script
        )
        assert job.stdout is not None
        assert await job.stdout.readline() == b"up\n"
        job.send_signal(signal.SIGUSR1)
        assert await job.stdout.readline() == b"usr1\n"
        job.send_signal(signal.SIGTERM)

        ran = await ended(job)

        assert (ran.status, ran.out) == (7, b"term\n")
        assert told(await sink.wait_for(2)) == ["/start", "/7"]


async def test_command_that_is_stopped_and_continued_goes_on(tmp_path: Path) -> None:
    script = "import os, signal, sys, time; "
    script += "signal.signal(signal.SIGCONT, lambda *_: sys.exit(4)); "
    # In naps: a signal that comes just before `signal.pause` waits there for another.
    script += "print(os.getpid(), flush=True)\nwhile True: time.sleep(0.05)"
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)
        job = await start(env, "run", "job", "--", sys.executable, "-c", script)
        assert job.stdout is not None
        pid = int(await job.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        job.send_signal(signal.SIGCONT)

        assert (await ended(job)).status == 4


async def test_a_time_limit_may_be_long(tmp_path: Path) -> None:
    env = environment(tmp_path, "http://127.0.0.1:9")
    command = ["sh", "-c", "sleep 0.2; echo out; exit 4"]

    ran = await hcl(
        env, "run", "--timeout", "52w", "--patience", "0", "job", "--", *command
    )

    assert (ran.status, ran.out) == (4, b"out\n")


async def test_time_limit_ends_the_command(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)

        ran = await hcl(env, "run", "--timeout", "0.2s", "job", "--", "sleep", "60")

        assert ran.status == -15
        assert told(await sink.wait_for(2)) == ["/start", "/143"]
        assert sink.records[-1].text == "ended after the time limit of 0.2 s"


@pytest.mark.parametrize("first", ["", "trap '' TERM; "])
async def test_time_limit_holds_though_nobody_reads(tmp_path: Path, first: str) -> None:
    # As with `hcl run … | ssh nas cat`, whose network hangs.
    reader, writer = os.pipe()
    async with HttpSink() as sink:
        job = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hcl", "run", "--timeout", "0.3s", "job", "--"),
            *("sh", "-c", first + "head -c 300000 /dev/zero; sleep 60"),
            env=environment(tmp_path, sink.url),
            stdout=writer,
        )
        os.close(writer)

        status = await asyncio.wait_for(job.wait(), ENDS)

        assert status == (-9 if first else -15)
        assert told(await sink.wait_for(2)) == ["/start", f"/{128 - status}"]
        assert sink.records[-1].body.endswith(b"ended after the time limit of 0.3 s")
    os.close(reader)


@pytest.mark.parametrize(("length", "limit"), [(300_000, "1m"), (120_000, "4s")])
async def test_a_reader_that_is_slow_gets_all_of_a_command_with_a_limit(
    tmp_path: Path, length: int, limit: str
) -> None:
    # Of the shorter one the command has ended before its limit, though nobody read yet.
    env = environment(tmp_path, "http://127.0.0.1:9", PYTHON=sys.executable)
    job = f'"$PYTHON" -m hcl run --timeout {limit} --quiet --patience 0 job -- sh -c'
    job += f' "head -c {length} /dev/zero; exit 3"'
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f"({job}; echo $?) | (sleep 5; cat)"),
        env=env,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), ENDS)

    assert out == b"\0" * length + b"3\n"


# Starts children in four ways, says their pids, and heeds no SIGTERM if "$1" is deaf.
_BREEDS = """
if [ "$1" = deaf ]; then trap '' TERM; fi
sleep 601 & echo $!
(sleep 602 & echo $!)
sh -c 'sleep 603 & echo $!; wait' &
setsid sh -c 'echo daemon $$; exec sleep 30 > /dev/null' &
wait
"""


def lives(pid: int) -> bool:
    """Tell whether a process runs, and is not only waiting to be buried."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("word", ["hearing", "deaf"])
async def test_time_limit_ends_all_that_the_command_started(
    tmp_path: Path, word: str
) -> None:
    # Ten seconds are long for a test.
    code = "import sys; from hcl.client import running; running._GRACE = 0.3;"
    code += "from hcl.client.command import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["run", "--quiet", "--timeout", "0.7s", "job", "--"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, *arguments, "sh", "-c", _BREEDS, "sh", word),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=environment(tmp_path),
    )
    out, _ = await asyncio.wait_for(process.communicate(), ENDS)

    lines = out.decode().split("\n")
    daemons = [int(line.split()[1]) for line in lines if line.startswith("daemon")]
    pids = [int(line) for line in lines if line.isdecimal()]
    assert process.returncode == (-9 if word == "deaf" else -15)
    assert len(pids) == 3
    assert [pid for pid in pids if lives(pid)] == []
    # What made itself a session of its own was to stay.
    assert [lives(pid) for pid in daemons] == [True]
    os.kill(daemons[0], signal.SIGKILL)


async def test_time_limit_spares_what_the_job_did_not_start(tmp_path: Path) -> None:
    hcl_run = f"{sys.executable} -m hcl run --quiet --timeout 0.2s job -- sleep 60"
    script = f"sleep 604 > /dev/null & echo $!; exec {hcl_run}"
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", script),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=environment(tmp_path),
    )
    out, _ = await asyncio.wait_for(process.communicate(), ENDS)

    assert process.returncode == -15
    assert lives(int(out))
    os.kill(int(out), signal.SIGKILL)


async def test_command_that_ends_well_at_its_time_limit_has_failed(
    tmp_path: Path,
) -> None:
    script = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)

        ran = await hcl(
            env, "run", "--timeout", "0.5s", "job", "--", "sh", "-c", script
        )

        assert ran.status == 0
        assert told(await sink.wait_for(2)) == ["/start", "/fail"]


# What it writes


async def test_long_output_is_told_by_its_head_and_its_end(tmp_path: Path) -> None:
    goes_on = tmp_path / "goes on"
    # What the server keeps is known once it has answered to the start.
    script = (
        "import os, time\nfor n in range(10**5): print('line', n)\n"
        f"while not os.path.exists({str(goes_on)!r}): time.sleep(0.1)\ntime.sleep(1)\n"
    )
    async with HttpSink(headers=LIMIT) as sink:
        env = environment(tmp_path, sink.url)

        running = asyncio.create_task(
            hcl(env, "run", "job", "--", sys.executable, "-c", script)
        )
        await sink.wait_for(1)
        goes_on.touch()
        ran = await running

        assert ran.out == b"".join(b"line %d\n" % n for n in range(10**5))
        body = (await sink.wait_for(2))[1].text
        assert len(body) <= 1000
        assert body.startswith("line 0\nline 1\n")
        assert body.endswith("line 99998\nline 99999\n")
        assert "bytes left out ...]" in body


async def test_output_that_is_no_utf_8_and_has_no_newline_passes_unchanged(
    tmp_path: Path,
) -> None:
    script = r"printf '\377\000caf\351' ; printf '\200' >&2"
    async with HttpSink() as sink:
        job = await start(
            environment(tmp_path, sink.url), "run", "job", "--", "sh", "-c", script
        )
        out, err = await asyncio.wait_for(job.communicate(), ENDS)

        assert (out, err) == (b"\xff\x00caf\xe9", b"\x80")
        assert sorted((await sink.wait_for(2))[1].body) == sorted(out + err)


async def test_a_huge_output_takes_no_memory(tmp_path: Path) -> None:
    script = "import resource, sys\nfor _ in range(300): sys.stdout.write('x' * 10**6)"
    async with HttpSink() as sink:
        job = await start(
            environment(tmp_path, sink.url),
            *("run", "job", "--", sys.executable, "-c", script),
        )
        assert job.stdout is not None
        length = most = 0
        while chunk := await job.stdout.read(2**20):
            length += len(chunk)
            most = max(most, memory(job.pid))

        assert await job.wait() == 0
        assert length == 3 * 10**8
        assert most < 40_000  # kB


async def test_a_reader_that_leaves_ends_the_command_as_without(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        job = await start(environment(tmp_path, sink.url), "run", "job", "--", "yes")
        assert job.stdout is not None
        await job.stdout.readline()
        job.stdout._transport.close()  # type: ignore[attr-defined]

        assert await asyncio.wait_for(job.wait(), ENDS) == -signal.SIGPIPE
        assert told(await sink.wait_for(2)) == ["/start", "/141"]


async def test_a_command_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)

        ran = await hcl(
            env, "run", "job", "--", "sh", "-c", "exec >&- 2>&-; sleep 0.2; exit 5"
        )

        assert ran.status == 5


async def test_a_child_that_is_left_behind_is_not_waited_for(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)
        script = "sleep 1000 & echo $!"

        ran = await hcl(env, "run", "job", "--", "sh", "-c", script)

        os.kill(int(ran.out), signal.SIGKILL)
        assert ran.status == 0
        assert told(await sink.wait_for(2)) == ["/start", "/0"]


async def test_a_child_that_writes_on_is_not_waited_for(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)
        pid = tmp_path / "pid"
        own = f"echo $! >{pid}; echo own; exit 3"
        script = f"(while echo on; do sleep 0.05; done) & {own}"

        ran = await hcl(env, "run", "job", "--", "sh", "-c", script)

        # It lives on, as without hcl.
        os.kill(int(pid.read_text()), signal.SIGKILL)
        assert ran.status == 3
        assert b"own\n" in ran.out
        assert told(await sink.wait_for(2)) == ["/start", "/3"]


@pytest.mark.parametrize("to", ["|cat >{out}", ">{out}", ">{out} 2>&1"])
async def test_a_child_that_is_left_behind_may_write_later(
    tmp_path: Path, to: str
) -> None:
    over, ends = tmp_path / "over", tmp_path / "ends"
    late = f"until [ -e {over} ]; do sleep 0.05; done; echo late; echo end >{ends}"
    async with HttpSink() as sink:
        more = {"PYTHON": sys.executable, "SCRIPT": f"({late}) & echo own"}
        env = environment(tmp_path, sink.url, **more)
        outer = f'"$PYTHON" -m hcl run job -- sh -c "$SCRIPT" {to}'

        shell = await asyncio.create_subprocess_exec(
            *("sh", "-c", outer.format(out=tmp_path / "out")), env=env
        )
        await asyncio.wait_for(shell.wait(), ENDS)
        over.touch()

        # Who waits for the end of a pipe had it, and else it goes where it would.
        wanted = "own\n" if "|" in to else "own\nlate\n"
        async with asyncio.timeout(ENDS):
            while not ends.exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
            while (tmp_path / "out").read_text() != wanted:  # noqa: ASYNC110 - too
                await asyncio.sleep(0.05)
        assert told(sink.records) == ["/start", "/0"]


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
async def test_what_is_closed_stays_nobodys(tmp_path: Path, closed: str) -> None:
    script = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 3"
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url, PYTHON=sys.executable, SCRIPT=script)
        outer = f'"$PYTHON" -m hcl run job -- sh -c "$SCRIPT" {closed}; echo $? >ended'

        shell = await asyncio.create_subprocess_exec(
            *("sh", "-c", f"cd {tmp_path}; {outer}"),
            env=env,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await asyncio.wait_for(shell.wait(), ENDS)

        assert (tmp_path / "ended").read_text() == "3\n"
        assert told(await sink.wait_for(2)) == ["/start", "/3"]


async def test_output_is_not_told_if_that_is_wished(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)

        ran = await hcl(env, "run", "--no-output", "job", "--", "echo", "secret")

        assert ran.out == b"secret\n"
        assert [record.body for record in await sink.wait_for(2)] == [b"", b""]


@pytest.mark.parametrize(("status", "expected"), [(0, []), (1, ["/1"])])
async def test_only_failures_are_told_if_that_is_wished(
    tmp_path: Path, status: int, expected: list[str]
) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)

        command = ["sh", "-c", f"exit {status}"]
        ran = await hcl(env, "run", "--only-failures", "job", "--", *command)

        assert ran.status == status
        assert told(sink.records) == expected


# Settings and the spool


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "of-windows"])
async def test_settings_come_from_flags_the_environment_and_files(
    tmp_path: Path, mark: str
) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path)
        del env["HCL_PING_KEY"]
        folder = tmp_path / ".config/hcl"
        folder.mkdir(parents=True)
        (folder / "client.conf").write_text(
            f'{mark}# Of home\n\nHCL_SERVER = "{sink.url}"\nHCL_PING_KEY={KEY}\n'
        )
        await hcl(env, "ping", "job")
        await hcl(env | {"HCL_PING_KEY": "of-env"}, "ping", "job")
        await hcl(env | {"HCL_PING_KEY": "of-env"}, "ping", "--ping-key", "flag", "job")

        paths = [record.target for record in await sink.wait_for(3)]
        assert paths == [f"/ping/{key}/job" for key in (KEY, "of-env", "flag")]


@pytest.mark.parametrize("end", ["\n", "\r\n", " "], ids=["lf", "crlf", "blank"])
async def test_a_line_end_behind_a_setting_is_no_part_of_it(
    tmp_path: Path, end: str
) -> None:
    # As secrets of a container have it, which somebody made of files.
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url + end, HCL_PING_KEY=KEY + end)
        env["HCL_SPOOL"] += end

        pinged = await hcl(env, "ping", "job")
        checks = await hcl(env, "checks", "--api-key", f"{'w' * 32}{end}")
        [ping, call] = sink.records

    assert (pinged.status, pinged.err) == (0, "")
    assert "is no API: it answered" in checks.err
    assert ping.target == f"/ping/{KEY}/job"
    assert call.headers["x-api-key"] == "w" * 32
    assert (tmp_path / "spool").is_dir()


@pytest.mark.parametrize(
    ("check", "env", "said"),
    [
        ("job", {}, "no server is set"),
        ("Job Nine", {"HCL_SERVER": "http://127.0.0.1:9"}, "names no check"),
        ("job", {"HCL_SERVER": "127.0.0.1:9"}, "must begin with http"),
        (
            "job",
            {"HCL_SERVER": "http://127.0.0.1:9", "HCL_PING_KEY": ""},
            "set HCL_PING_KEY",
        ),
    ],
)
async def test_wrong_settings_are_said_and_the_job_runs(
    tmp_path: Path, check: str, env: dict[str, str], said: str
) -> None:
    ran = await hcl(environment(tmp_path) | env, "run", check, "--", "echo", "ran")

    assert (ran.status, ran.out) == (0, b"ran\n")
    assert ran.err.count("\n") == 1
    assert said in ran.err


@pytest.mark.parametrize(
    ("mount", "why"),
    [
        ("size=4k spool && head -c 4096 /dev/zero > spool/all", "no space left"),
        ("ro spool", "read-only file system"),
    ],
    ids=["full", "read-only"],
)
async def test_a_spool_without_room_is_said(
    tmp_path: Path, mount: str, why: str
) -> None:
    (tmp_path / "spool").mkdir()
    script = f'mount -t tmpfs tmpfs -o {mount}; exec "$@"'
    command = (
        "hcl",
        "run",
        "--patience",
        "0",
        "job",
        "--",
        "sh",
        "-c",
        "echo ran; exit 7",
    )
    process = await asyncio.create_subprocess_exec(
        *("unshare", "-rm", "sh", "-c", script, "sh", sys.executable, "-m", *command),
        cwd=tmp_path,
        env=environment(tmp_path, "http://127.0.0.1:9"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )

    ran = await ended(process)

    assert (ran.status, ran.out) == (7, b"ran\n")
    assert ran.err.count("\n") == 1
    assert f"it is lost, since it cannot be kept ({tmp_path}/spool: {why}" in ran.err


# The second one as a crash of the machine may leave a file.
@pytest.mark.parametrize("folder", ["{}/file/spool", "{}/spo\0\0"])
async def test_a_spool_that_cannot_be_written_is_said(
    tmp_path: Path, folder: str
) -> None:
    (tmp_path / "file").write_text("")
    env = environment(tmp_path, "http://127.0.0.1:9")
    del env["HCL_SPOOL"]
    conf = tmp_path / ".config/hcl/client.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("HCL_SPOOL=" + folder.format(tmp_path))

    ran = await hcl(env, "run", "--patience", "0", "job", "--", "sh", "-c", "exit 3")

    assert (ran.status, ran.err.count("\n")) == (3, 1)
    assert "it is lost, since it cannot be kept" in ran.err
