"""What runs beside the jobs: the standard library alone, for Python 3.9 and up."""

# Its commands, and what the help of `hcl` says of each.
COMMANDS = {
    "run": "Run a job, and tell how it went.",
    "ping": "Tell one thing of a check.",
    "checks": "List, show, make and change checks.",
    "maintenance": "Open, list and end windows in which nobody is called down.",
    "sync": "Find the jobs of this machine that nobody watches.",
    "completion": "Print what has a shell complete commands and slugs.",
}
