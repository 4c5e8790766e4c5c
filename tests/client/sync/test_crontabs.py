"""Crontabs as people write them: what is found, and how it would tell its check."""

import subprocess
from datetime import UTC, datetime

import pytest
from cronsim import CronSim

from hcl.client.sync import crontabs
from hcl.client.sync.crontabs import Form
from hcl.client.sync.jobs import Job, name
from hcl.client.sync.plan import plan
from hcl.client.sync.schedules import DAY, HOUR, MINUTE

ANACRON = Form(is_anacron=True, end="")

# A line, its schedule as every server takes it, and what its check is called by.
LINES = [
    ("5 3 * * * /usr/local/bin/backup.sh", "5 3 * * *", "backup"),
    ("0 4 * * * /root/backup.sh >/dev/null 2>&1", "0 4 * * *", "backup"),
    ("*/5 * * * * php /var/www/cron.php", "*/5 * * * *", "cron"),
    (
        "* * * * * cd /srv/app && php artisan schedule:run >> /dev/null 2>&1",
        "* * * * *",
        "artisan-schedule-run",
    ),
    ("@daily /usr/bin/restic backup /home", "0 0 * * *", "restic-backup"),
    ("@hourly /opt/sync.py", "0 * * * *", "sync"),
    ("@weekly root-cleanup", "0 0 * * 0", "root-cleanup"),
    ("@monthly /usr/bin/certbot -q renew", "0 0 1 * *", "certbot-renew"),
    ("@yearly /bin/renew-domain.pl", "0 0 1 1 *", "renew-domain"),
    ("@annually /bin/x", "0 0 1 1 *", "x"),
    ("@midnight /bin/rotate.rb", "0 0 * * *", "rotate"),
    (
        "  30 2 * * 1-5   nice -n 19 ionice -c3 /usr/bin/borgmatic create",
        "30 2 * * 1-5",
        "borgmatic-create",
    ),
    ("0 9 * * mon-fri /bin/report", "0 9 * * 1-5", "report"),
    ("0 9 * * MON,WED,FRI /bin/report", "0 9 * * 1,3,5", "report"),
    ("0 9 * * sat-sun /bin/weekend", "0 9 * * 6,0", "weekend"),
    ("0 9 * * fri-7 /bin/weekend", "0 9 * * 5,6,0", "weekend"),
    ("0 9 * * 7 /bin/sunday", "0 9 * * 7", "sunday"),
    ("0 0 1 jan,jul * /bin/half", "0 0 1 1,7 *", "half"),
    ("0 0 1 JAN-MAR * /bin/q", "0 0 1 1-3 *", "q"),
    ("15,45 8-18/2 * * * /bin/poll", "15,45 8-18/2 * * *", "poll"),
    ("0~30 3 * * * /bin/spread", "0 3 * * *", "spread"),
    ("~ 2 * * * /bin/any-minute", "0 2 * * *", "any-minute"),
    ("0 2~4 * * * /bin/any-hour", "0 2 * * *", "any-hour"),
    ("-*/15 * * * * /bin/unlogged", "*/15 * * * *", "unlogged"),
    (
        "17 * * * * cd / && run-parts --report /etc/cron.hourly",
        "17 * * * *",
        "cron-hourly",
    ),
    (
        "25 6 * * * test -x /usr/sbin/anacron || { cd / && run-parts --report"
        " /etc/cron.daily; }",
        "25 6 * * *",
        "cron-daily",
    ),
    (
        "09,39 * * * * [ -x /usr/lib/php/sessionclean ] &&"
        " if [ ! -d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi",
        "09,39 * * * *",
        "sessionclean",
    ),
    (
        "0 */12 * * * test -x /usr/bin/certbot -a \\! -d /run/systemd/system &&"
        " perl -e 'sleep int(rand(43200))' && certbot -q renew",
        "0 */12 * * *",
        "certbot-renew",
    ),
    (
        "5-55/10 * * * * command -v debian-sa1 > /dev/null && debian-sa1 1 1",
        "5-55/10 * * * *",
        "debian-sa1",
    ),
    (
        "57 0 * * 0 if [ -x /usr/share/mdadm/checkarray ] && [ $(date +\\%d) -le 7 ];"
        " then /usr/share/mdadm/checkarray --cron --all --idle --quiet; fi",
        "57 0 * * 0",
        "checkarray",
    ),
    (
        "24 0 8-14 * * if [ $(date +\\%w) -eq 0 ] && [ -x /usr/lib/zfs-linux/scrub ];"
        " then /usr/lib/zfs-linux/scrub; fi",
        "24 0 8-14 * *",
        "scrub",
    ),
    ("0 5 * * 1 tar -zcf /var/backups/home.tgz /home/", "0 5 * * 1", "tar"),
    (
        "* * * * * flock -n /tmp/x.lock /usr/bin/python3 /opt/x/sync.py --all",
        "* * * * *",
        "sync",
    ),
    (
        "* * * * * /usr/bin/flock -w 0 /x.lock -c 'php -f /a/feed.php'",
        "* * * * *",
        "feed",
    ),
    (
        "0 1 * * * docker exec -u www-data nextcloud php cron.php",
        "0 1 * * *",
        "nextcloud-cron",
    ),
    (
        "0 1 * * * docker run --rm -v /x:/y restic/restic:0.16 backup /data",
        "0 1 * * *",
        "restic-backup",
    ),
    (
        "0 1 * * * docker compose -f /x/y.yml exec -T db pg_dumpall > /b/x.sql",
        "0 1 * * *",
        "db-pg_dumpall",
    ),
    ("0 4 * * * docker system prune -af", "0 4 * * *", "docker-system-prune"),
    (
        "0 2 * * * sudo -u postgres pg_dump shop | gzip > /b/shop.gz",
        "0 2 * * *",
        "pg_dump-shop",
    ),
    ("0 2 * * * su - git -c 'gitea dump'", "0 2 * * *", "gitea-dump"),
    ('0 2 * * * su - postgres -c "vacuumdb --all"', "0 2 * * *", "vacuumdb"),
    (
        "0 3 * * * bash -c 'source /v/bin/activate; python /srv/run.py'",
        "0 3 * * *",
        "run",
    ),
    ("0 3 * * * /bin/bash -lc '/home/me/bin/nightly'", "0 3 * * *", "nightly"),
    (
        "0 3 * * * cd /srv/site && ./manage.py clearsessions",
        "0 3 * * *",
        "manage-clearsessions",
    ),
    ("0 3 * * * python3 -m shop.tasks.daily", "0 3 * * *", "daily"),
    ("0 3 * * * java -jar /opt/report.jar", "0 3 * * *", "report"),
    ("0 3 * * * timeout 1h /root/job", "0 3 * * *", "job"),
    ("0 3 * * * chronic /usr/local/sbin/check-raid", "0 3 * * *", "check-raid"),
    ("0 3 * * * sleep $((RANDOM \\% 600)); /usr/bin/do-it", "0 3 * * *", "do-it"),
    ("0 3 * * * PATH=/x:/y LANG=C rsync -a /a/ /b/", "0 3 * * *", "rsync"),
    ("0 3 * * * find /tmp -mtime +3 -delete", "0 3 * * *", "find"),
    ("0 3 * * * wp --path=/var/www cron event run --due-now", "0 3 * * *", "wp-cron"),
    ("0 3 * * * /usr/bin/env node /srv/feed.js", "0 3 * * *", "feed"),
    (
        "0 3 * * * mysqldump -u root shop > /b/shop-$(date +\\%F).sql",
        "0 3 * * *",
        "mysqldump-root",
    ),
    (
        "0 3 * * * rclone sync /data remote:data --log-file=/var/log/rclone.log",
        "0 3 * * *",
        "rclone-sync",
    ),
    (
        "0 4 * * * /usr/bin/php8.2 -d memory_limit=512M /srv/occ files:scan --all",
        "0 4 * * *",
        "occ-files-scan",
    ),
    ("0 7 * * * eval $(ssh-agent); /srv/push.sh", "0 7 * * *", "push"),
    ("0 3 1 * * zpool scrub tank", "0 3 1 * *", "zpool-scrub"),
    ("0 3 * * * /usr/sbin/logrotate /etc/logrotate.conf", "0 3 * * *", "logrotate"),
    ("0 3 * * * /usr/local/bin/Gehe_Ümläut.SH", "0 3 * * *", "gehe_-ml-ut-sh"),
    ("0 3 * * * mail -s hello me@example.org%Hello%there", "0 3 * * *", "mail-hello"),
    ("0\t3\t*\t*\t*\t/bin/tabs", "0 3 * * *", "tabs"),
]


def read(text: str, *, has_user: bool = False) -> list[Job]:
    form = Form(has_user=has_user)
    return crontabs.read(text, "crontab -l", form, tz="Europe/Riga")


@pytest.mark.parametrize(("line", "schedule", "called"), LINES)
def test_each_line_has_a_schedule_and_a_name(
    line: str, schedule: str, called: str
) -> None:
    [job] = read(line)

    assert (job.skipped, job.watched) == ("", "")
    assert job.schedule == schedule
    assert job.tz == "Europe/Riga"
    assert name(job.command) == called
    # Which hcl, and every server like it, takes.
    assert next(CronSim(job.schedule, datetime(2026, 1, 1, tzinfo=UTC)))


def test_there_are_sixty_of_them() -> None:
    assert len(LINES) >= 60


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("@reboot /bin/start", "runs when the machine starts, and has no schedule"),
        ("@fortnightly /bin/x", "@fortnightly is unknown"),
        ("61 3 * * * /bin/x", "'61' is not within 0 and 59"),
        ("0 3 * * funday /bin/x", "'funday' is no part of a cron schedule"),
        ("0 3 * * * /bin/x &", "goes on in the background (&), unheard"),
        ("0 3 * * * (a; b) > /c 2>&1 & ", "goes on in the background (&), unheard"),
        ("0 3 * * * curl h/?a=1&b=2", "goes on in the background (&), unheard"),
        (f"0 3 * * * echo {'x' * 800}", "would be too long for cron"),
        (f"0 3 * * * echo {'x' * 500} {chr(39) * 80}", "would be too long for cron"),
        ("backup.sh", "is no line of a crontab"),
        ("0 3 * *", "is no line of a crontab"),
    ],
)
def test_what_has_no_schedule_is_said(line: str, why: str) -> None:
    [job] = read(line)

    assert job.skipped == why


@pytest.mark.parametrize(
    "command",
    [
        "a && b 2>&1",
        "a >& b",
        "a &> b",
        "a |& b",
        "curl 'h/?a=1&b=2'",
        "a & b & wait",
        "a \\& b",
    ],
)
def test_what_ends_before_its_shell_is_no_job_in_the_background(command: str) -> None:
    [job] = read(f"0 3 * * * {command}")

    assert job.skipped == ""


@pytest.mark.parametrize(
    "text", ["", "# 0 3 * * * /bin/x", "MAILTO=me@example.org", "  \n", "A = b c"]
)
def test_comments_and_settings_are_no_jobs(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    ("line", "watched"),
    [
        ("0 3 * * * hcl run nas-backup -- /bin/x", "nas-backup"),
        ("0 3 * * * /usr/bin/hcl run --quiet nas-backup -- /bin/x", "nas-backup"),
        ("0 3 * * * /bin/x; hcl ping nas-backup $?", "nas-backup"),
        ("0 3 * * * /bin/x && curl -fsS https://hc-ping.com/1-2", "1-2"),
        ("0 3 * * * /bin/x; curl http://h/ping/key/slug/$?", "key/slug"),
        ("0 3 * * * runitor -slug x -- /bin/x", "?"),
    ],
)
def test_what_tells_already_is_left_alone(line: str, watched: str) -> None:
    [job] = read(line)

    assert job.watched == watched


def test_settings_count_for_the_lines_below() -> None:
    one, two = read(
        "0 3 * * * /bin/a\nCRON_TZ=Asia/Tokyo\nRANDOM_DELAY=45\n0 3 * * * /bin/b\n"
    )

    assert (one.tz, two.tz) == ("Europe/Riga", "Asia/Tokyo")
    assert two.grace - one.grace == 45 * MINUTE


def test_system_crontab_names_a_user() -> None:
    [job] = read("17 * * * * www-data /bin/x -y", has_user=True)

    assert (job.user, job.command) == ("www-data", "/bin/x -y")


@pytest.mark.parametrize(
    ("command", "seconds"),
    [
        # As certbot's own pages have it, and as Debian.
        (
            "/opt/certbot/bin/python -c 'import random; import time;"
            " time.sleep(random.random() * 3600)' && sudo certbot renew -q",
            3600,
        ),
        ("perl -e 'sleep int(rand(43200))' && certbot -q renew", 43_200),
        ("sleep $((RANDOM \\% 600)); /bin/x 9000", 600),
        ("sleep $(($RANDOM \\% 60))m; /bin/x", 3600),
        ("sleep ${RANDOM:0:2}m; /bin/x", 6000),
        ("sleep $RANDOM; /bin/x", 32_768),
        ("sleep $(shuf -i 0-1800 -n 1) && /bin/x", 1800),
        ("/bin/sleep 5m && /bin/x | sleep 0.5h", 300 + 1800),
        ("sleep 9d; /bin/x", DAY),
        ("/bin/sleep-tracker 9000 sleep", 0),
    ],
)
def test_a_job_may_take_as_long_as_it_sleeps(command: str, seconds: int) -> None:
    [awake] = read("5 3 * * * /bin/x")

    [job] = read(f"5 3 * * * {command}")

    assert job.spread == seconds
    assert job.grace == awake.grace + -(-seconds // MINUTE) * MINUTE


@pytest.mark.parametrize(
    ("line", "days", "minutes", "command"),
    [
        (
            "1\t5\tcron.daily\trun-parts --report /etc/cron.daily",
            1,
            5,
            "run-parts --report /etc/cron.daily",
        ),
        ("7 25 weekly nice run-parts /x", 7, 25, "nice run-parts /x"),
        ("@Monthly 0 x echo 100% > /y", 31, 0, "sh -c 'echo 100% > /y'"),
    ],
)
def test_job_of_anacron_may_be_a_day_late(
    line: str, days: int, minutes: int, command: str
) -> None:
    text = f"RANDOM_DELAY=45\n{line}\n"

    [job] = crontabs.read(text, "a", ANACRON, tz="UTC")

    assert (job.skipped, job.user, job.schedule) == ("", "root", "")
    assert job.period == days * DAY
    assert job.grace == DAY + HOUR + (45 + minutes) * MINUTE
    entry = crontabs.split(line, ANACRON)
    assert entry is not None
    wrapped = crontabs.wrapped(entry, "c", "hcl")
    assert wrapped == f"{entry.head}hcl run c -- {command}"
    [again] = crontabs.read(wrapped, "a", ANACRON, tz="UTC")
    assert again.watched == "c"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("0 5 x /bin/x", "0 is unknown"),
        ("@fortnightly 5 x /bin/x", "@fortnightly is unknown"),
        ("1 5 x/y /bin/x", "is no line of a crontab"),
        ("1 5 x /bin/x \\", "goes on in the next line"),
        ("1 5 x /bin/x &", "goes on in the background (&), unheard"),
    ],
)
def test_what_anacron_does_not_run_is_said(line: str, why: str) -> None:
    [job] = crontabs.read(line, "a", ANACRON, tz="UTC")

    assert job.skipped == why


@pytest.mark.parametrize(
    ("schedule", "seconds", "grace"),
    [
        ("* * * * *", MINUTE, 5 * MINUTE),
        ("*/15 * * * *", 15 * MINUTE, 450),
        ("0 * * * *", HOUR, 30 * MINUTE),
        ("0 3 * * *", DAY, HOUR),
        ("0 3 * * 1-5", DAY, HOUR),
        ("0 3 * * 0", 7 * DAY, HOUR),
        ("0 3 1 * *", 30 * DAY, HOUR),
    ],
)
def test_grace_goes_by_how_often_it_runs(
    schedule: str, seconds: int, grace: int
) -> None:
    [job] = read(f"{schedule} /bin/x")

    assert job.period == seconds
    assert job.grace == -(-grace // MINUTE) * MINUTE


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 3 * * * /bin/x -a b", "0 3 * * * hcl run c -- /bin/x -a b"),
        ("@daily  /bin/x", "@daily  hcl run c -- /bin/x"),
        (
            "0 3 * * * /bin/x > /dev/null 2>&1",
            "0 3 * * * hcl run c -- sh -c '/bin/x > /dev/null 2>&1'",
        ),
        (
            "0 3 * * * echo it's | x",
            "0 3 * * * hcl run c -- sh -c 'echo it'\"'\"'s | x'",
        ),
        (
            "0 3 * * * dump > /b/$(date +\\%F)",
            "0 3 * * * hcl run c -- sh -c 'dump > /b/$(date +\\%F)'",
        ),
        ("0 3 * * * mail me%Hi%you", "0 3 * * * hcl run c -- mail me%Hi%you"),
        ("0 3 * * * exec /bin/x", "0 3 * * * hcl run c -- sh -c 'exec /bin/x'"),
        ("0 3 * * * . /etc/job", "0 3 * * * hcl run c -- sh -c '. /etc/job'"),
        ("0 3 * * * time /bin/x", "0 3 * * * hcl run c -- sh -c 'time /bin/x'"),
        # While another holds the lock there is nothing to do, which is no failure.
        (
            "* * * * * flock -n /tmp/l /bin/x",
            "* * * * * flock -n /tmp/l hcl run c -- /bin/x",
        ),
        (
            "* * * * * /usr/bin/flock --close -xn $HOME/l x 'a b' > /dev/null 2>&1",
            "* * * * * /usr/bin/flock --close -xn $HOME/l hcl run c --"
            " sh -c 'x '\"'\"'a b'\"'\"' > /dev/null 2>&1'",
        ),
        (
            "* * * * * flock -w 9 /l /bin/x",
            "* * * * * hcl run c -- flock -w 9 /l /bin/x",
        ),
        (
            "* * * * * flock -n /l -c x",
            "* * * * * hcl run c -- flock -n /l -c x",
        ),
        (
            "* * * * * flock -n /l a && b",
            "* * * * * hcl run c -- sh -c 'flock -n /l a && b'",
        ),
    ],
)
def test_a_line_is_wrapped_as_it_stands(line: str, expected: str) -> None:
    entry = crontabs.split(line, Form())
    assert entry is not None

    assert crontabs.wrapped(entry, "c", "hcl") == expected


@pytest.mark.parametrize(
    "command",
    [
        "echo a   b",
        "echo 'a   b' \"$HOME\"; echo $((1 + 2))",
        "cd / && pwd | tr / x",
        "echo it\\'s",
        "FOO=bar; echo $FOO ~",
        "command echo a",
        "[ -d / ] && echo a",
        "test -d / && [ -d /usr ] && echo 'a && b' | tr a b && echo $(echo a; echo b)",
        "[ -d /nope ] && if true; then echo a; fi; if true; then echo b; fi",
        "[ -d /nope ] && { echo a; }; { echo b; }",
        "[ -d /nope ] && (echo a); (echo b)",
        "[ -d / ] && if [ -d / ]; then echo a; fi",
        "[ -d / ] && { echo a; echo b; }",
        "[ -d /nope ] || echo a && echo b",
        "[ -d /nope ] && echo a || echo b",
        "[ -d / ] && echo a; echo b",
        "[ -d / ] && echo a 2>&1 # && b",
        "exec echo a",
        "flock -n /dev/null echo 'a   b' \"$PATH\" 2>&1",
        "eval echo a",
        "echo 100\\%",
    ],
)
def test_a_wrapped_command_does_what_it_did(command: str) -> None:
    entry = crontabs.split(f"0 3 * * * {command}", Form())
    assert entry is not None
    line = crontabs.wrapped(entry, "c", "hcl").removeprefix("0 3 * * * ")
    wrapped = line.replace("hcl run c -- ", "", 1)
    assert wrapped != line

    def cron(text: str) -> bytes:
        # As cron hands it to the shell.
        return subprocess.run(
            ["/bin/sh", "-c", text.replace("\\%", "%")], check=True, capture_output=True
        ).stdout

    assert cron(wrapped) == cron(command)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        # Debian's certbot: with systemd its timer does the work.
        ("test -x /bin/sh -a \\! -d / && sleep 9 && exit 3", 0),
        ('[ "$(date +\\%u)" = 8 ] && exit 3', 0),
        ("[ -d / ] && [ ! -d / ] && exit 3", 0),
        ("command -v no-such-program > /dev/null && exit 3", 0),
        ("[ ! -d / ] && if true; then exit 3; fi", 0),
        ("[ ! -d / ] && (true; exit 3)", 0),
        ("[ -d / ] && exit 3", 3),
        ("[ -d / ] && false", 1),
        # What asks is the job.
        ("[ -d /nope ]", 1),
        ("[ -d / ] && [ -d /nope ]", 1),
        # The rest would be another's.
        ("[ -d /nope ] && exit 2; exit 3", 3),
        ("[ -d /nope ] && exit 2 || exit 3", 3),
    ],
)
def test_a_job_that_has_nothing_to_do_has_not_failed(command: str, status: int) -> None:
    entry = crontabs.split(f"0 3 * * * {command}", Form())
    assert entry is not None
    line = crontabs.wrapped(entry, "c", "hcl").removeprefix("0 3 * * * hcl run c -- ")

    done = subprocess.run(["/bin/sh", "-c", line.replace("\\%", "%")], check=False)

    assert done.returncode == status


UUID = "3c1169a0-7b50-41ec-b1a7-3fd2f2b4a6e1"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (f"https://ping.example.org/{UUID}/$?", UUID),
        ("http://ping.example.org/key/backup", "key/backup"),
        ('"https://ping.example.org/$UUID"', "a server"),
        ("https://example.org/backup", ""),
    ],
)
def test_ping_urls_of_any_path_are_known_by_the_server(url: str, what: str) -> None:
    jobs = read(f"0 3 * * * /bin/x && curl {url}")
    known = {"slug": "y", "uuid": UUID, "ping_url": f"https://ping.example.org/{UUID}"}

    [step] = plan(jobs, [known, {"slug": "", "unique_key": "no key to change it"}], "n")

    assert step.action == ("nothing" if what else "create")
    assert step.why == (f"tells {what} already" if what else "")


@pytest.mark.parametrize(
    ("command", "check"),
    [
        ("hcl run x -- y", "x"),
        ("hcl run x rsync a", "x"),
        ("/usr/local/bin/hcl run --timeout 4h x -- rsync a", "x"),
        ("hcl run --timeout=4h --quiet x --create -- rsync a", "x"),
        ("hcl run --server http://a --ping-key k x -- y", "x"),
        ("python3 /opt/hcl-client.pyz run x -- y", "x"),
        ("python3 -m hcl.client run 'x' -- y", "x"),
        ("/bin/a; hcl ping --quiet x $?", "x"),
        ("/bin/a && curl https://hc.example.org/ping/k/x", "k/x"),
        ("runitor -slug x -- y", "?"),
        ("/bin/a; curl https://hc-ping.com/$UUID/$?", "?"),
        ('/bin/a && wget -qO- "$HC/ping/${KEY}/x"', "?"),
        ("/bin/hclean run x", ""),
    ],
)
def test_the_check_that_a_line_tells_is_found(command: str, check: str) -> None:
    [job] = crontabs.read(f"5 3 * * * {command}", "c", Form(), tz="UTC")

    assert job.watched == check
