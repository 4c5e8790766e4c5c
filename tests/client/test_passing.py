"""`hcl run` and what is odd: it does as a shell would, and passes all of it on."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.client.running import ended, environment, hcl, start, told
from tests.patience import ENDS
from tests.sinks import HttpSink


async def test_a_command_without_a_name_is_not_there(tmp_path: Path) -> None:
    ran = await hcl(environment(tmp_path), "run", "--quiet", "job", "--", "")

    assert (ran.status, ran.out) == (127, b"")
    assert ran.err == "hcl run: '': no such file or directory\n"


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
        outer = f'cd {tmp_path}; ulimit -f 1; exec "$PYTHON" -m hcl run job --'
        outer += f' sh -c "$SCRIPT" > {to}'
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", outer), env=env, stderr=asyncio.subprocess.PIPE
        )
        _, err = await asyncio.wait_for(process.communicate(), ENDS)

        assert (process.returncode, err) == (5, b"")
        assert told(await sink.wait_for(2)) == ["/start", "/5"]


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
