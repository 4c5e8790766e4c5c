"""`hcl run` and what is odd: it does as a shell would, and passes all of it on."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.client.running import ended, environment, hcl, kept, start, told
from tests.patience import ENDS
from tests.sinks import HttpSink


async def test_a_command_without_a_name_is_not_there(tmp_path: Path) -> None:
    ran = await hcl(environment(tmp_path), "run", "--quiet", "job", "--", "")

    assert (ran.status, ran.out) == (127, b"")
    assert ran.err == "hcl run: '': no such file or directory\n"


async def test_a_command_whose_name_is_no_utf_8_is_told_of(tmp_path: Path) -> None:
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url)

        ran = await hcl(env, "run", "job", "--", "/bin/caf\udce9")

        assert ran.status == 127
        assert (await sink.wait_for(1))[0].body.startswith(b"/bin/caf\xe9: no such")


@pytest.mark.parametrize("missing", ["json", "urllib", "ssl", "resource", "fcntl"])
async def test_a_python_that_lacks_modules_does_no_harm_to_the_job(
    tmp_path: Path, missing: str
) -> None:
    # As Debian's python3-minimal and OpenWrt's python3-light do.
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / f"{missing}.py").write_text(f"raise ImportError('no {missing}')\n")
    env = environment(tmp_path, "http://127.0.0.1:9")
    env["PYTHONPATH"] = f"{folder}:{env['PYTHONPATH']}"
    said = "hcl run: nothing can be told: no " + missing
    command = ["run", "--patience", "0", "job", "--", "sh", "-c"]

    well = await hcl(env, *command, "sleep 0.5; echo out; exit 5")
    killed = await hcl(env, *command, "kill -TERM $$")

    assert (well.status, well.out, killed.status) == (5, b"out\n", -signal.SIGTERM)
    assert said in well.err or missing not in ("json", "urllib")
    assert "Traceback" not in well.err + killed.err


@pytest.mark.parametrize(
    ("command", "status"), [("/no/such", 127), ("sh -c 'exit 5'", 5)]
)
async def test_what_cannot_be_said_leaves_the_exit_status(
    tmp_path: Path, command: str, status: int
) -> None:
    # As with `>> /var/log/job 2>&1` on a disk that is full, and no server.
    env = environment(tmp_path, "http://127.0.0.1:9", PYTHON=sys.executable)
    script = f'"$PYTHON" -m hcl run --patience 0 job -- {command} 2> /dev/full'

    process = await asyncio.create_subprocess_exec("sh", "-c", script, env=env)

    assert await asyncio.wait_for(process.wait(), ENDS) == status
    assert kept(tmp_path)


async def test_a_script_without_its_first_line_runs_as_in_a_shell(
    tmp_path: Path,
) -> None:
    (tmp_path / "bin").mkdir()
    for name, text in (("job", b'echo "$@"; exit 9'), ("program", b"\x7fARM\0")):
        (tmp_path / "bin" / name).write_bytes(text)
        (tmp_path / "bin" / name).chmod(0o755)
    env = environment(tmp_path)
    env["PATH"] = f"{tmp_path}/bin:{env['PATH']}"

    ran = await hcl(env, "run", "--quiet", "job", "--", "job", "a  b", "c")
    other = await hcl(env, "run", "--quiet", "job", "--", f"{tmp_path}/bin/program")

    assert (ran.status, ran.out, ran.err) == (9, b"a  b c\n", "")
    assert other.status == 126
    assert "exec format error" in other.err


async def test_no_signal_ends_what_waits_for_the_command(tmp_path: Path) -> None:
    names = ["HUP", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "PWR", "IO"]
    names += ["RTMIN", "RTMAX", "QUIT", "INT"]
    script = "import os, signal, sys, time\n"
    # Not by print, which may be at work still when the next one comes.
    script += "def say(number, _): os.write(1, b'%d\\n' % number)\n"
    script += "for number in sys.argv[1:]: signal.signal(int(number), say)\n"
    script += "print('up', flush=True)\nwhile True: time.sleep(60)"
    numbers = [int(getattr(signal, f"SIG{name}")) for name in names]
    job = await start(
        environment(tmp_path),
        *("run", "--quiet", "job", "--", sys.executable, "-c", script),
        *map(str, numbers),
    )
    assert job.stdout is not None
    async with asyncio.timeout(ENDS):
        assert await job.stdout.readline() == b"up\n"

        for number in numbers:
            job.send_signal(number)
            assert int(await job.stdout.readline()) == number

    job.terminate()
    assert (await ended(job)).status == -signal.SIGTERM


@pytest.mark.parametrize(
    "given", [{}, {"LC_CTYPE": "C"}, {"LC_CTYPE": "C.UTF-8"}, {"LANG": "C.UTF-8"}]
)
async def test_a_command_has_the_environment_that_it_would_have_without(
    tmp_path: Path, given: dict[str, str]
) -> None:
    # As cron starts jobs: with no locale, for which Python sets one.
    env = environment(tmp_path) | given

    ran = await hcl(env, "run", "--quiet", "job", "--", "env")

    names = dict(line.split("=", 1) for line in ran.out.decode().splitlines())
    assert names == env


async def test_the_end_is_heard_though_its_signal_was_blocked(tmp_path: Path) -> None:
    # As by a program that has threads, or reads its signals from a file.
    outer = "import os, signal, sys\n"
    outer += "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])\n"
    outer += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", outer, "-m", "hcl", "run", "--quiet", "--patience"),
        *("0", "job", "--", "sh", "-c", "exec >&- 2>&-; sleep 0.5; exit 3"),
        env=environment(tmp_path, "http://127.0.0.1:9"),
    )

    assert await asyncio.wait_for(process.wait(), ENDS) == 3


async def test_what_goes_to_one_place_keeps_its_order(tmp_path: Path) -> None:
    script = "for n in 1 2 3 4 5 6 7 8 9; do echo out; echo err >&2; done"
    async with HttpSink() as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hcl", "run", "job", "--", "sh", "-c", script),
            env=environment(tmp_path, sink.url),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), ENDS)

        assert out == b"out\nerr\n" * 9
        assert (await sink.wait_for(2))[1].body == out


@pytest.mark.parametrize("to", ["/dev/full", "limited"])
async def test_output_that_nobody_takes_leaves_the_exit_status(
    tmp_path: Path, to: str
) -> None:
    script = "head -c 300000 /dev/zero; exit 5"
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url, PYTHON=sys.executable, SCRIPT=script)
        # Cut off by the limit, what is compiled here could not be imported any more.
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        outer = f'cd {tmp_path}; ulimit -f 1; exec "$PYTHON" -m hcl run job --'
        outer += f' sh -c "$SCRIPT" > {to}'
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", outer), env=env, stderr=asyncio.subprocess.PIPE
        )
        _, err = await asyncio.wait_for(process.communicate(), ENDS)

        assert (process.returncode, err) == (5, b"")
        assert told(await sink.wait_for(2)) == ["/start", "/5"]


# As with `hcl run … >> /var/log/job` on a disk that is full, or whose server is away:
# a shell's echo fails there, and that is all.
@pytest.mark.parametrize("to", ["> /dev/full", "1< /dev/null"])
async def test_a_disk_in_trouble_ends_no_command_that_goes_on(
    tmp_path: Path, to: str
) -> None:
    script = "for n in 1 2 3; do echo $n; sleep 0.1; done; exit 5"
    async with HttpSink() as sink:
        env = environment(tmp_path, sink.url, PYTHON=sys.executable, SCRIPT=script)
        outer = '"$PYTHON" -m hcl run job -- sh -c "$SCRIPT" '
        outer += to
        process = await asyncio.create_subprocess_exec("sh", "-c", outer, env=env)

        assert await asyncio.wait_for(process.wait(), ENDS) == 5
        assert (await sink.wait_for(2))[1].body == b"1\n2\n3\n"


async def test_what_is_said_with_a_closed_stderr_is_in_no_output(
    tmp_path: Path,
) -> None:
    env = environment(tmp_path, "http://127.0.0.1:9", PYTHON=sys.executable)
    script = '"$PYTHON" -m hcl run --patience 0 job -- echo own 2>&-;'
    script += ' "$PYTHON" -m hcl run --patience 0 job -- /no/such 2>&-; echo $?'
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", script), env=env, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), ENDS)

    assert out == b"own\n127\n"


@pytest.mark.parametrize("own", ["", ":/srv/modules"])
async def test_a_job_finds_its_own_modules_and_not_those_of_the_single_file(
    tmp_path: Path, own: str
) -> None:
    env = environment(tmp_path, "http://127.0.0.1:9", HCL_PYZ="/opt/hcl.pyz")
    env["PYTHONPATH"] += own
    shown = 'echo "${PYTHONPATH-none} ${HCL_PYZ-none}"'
    options = ("--patience", "0", "--quiet", "job", "--")

    ran = await hcl(env, "run", *options, "sh", "-c", shown)

    assert ran.out.decode().split() == [own[1:] or "none", "none"]
