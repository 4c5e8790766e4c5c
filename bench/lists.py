"""The list of all checks, which dashboards and agents ask for again and again."""

from bench.client import median_ms
from bench.plan import Plan, say
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row, at_most

N_CHECKS = 1000

# Name, schedule, the goal in milliseconds.
_KINDS = (("simple", "", 15), ("cron", "17 3 * * 1-5", 15))


def measure(plan: Plan) -> list[Row]:
    """Measure `GET checks/` for each kind of check."""
    rows = []
    for kind, schedule, goal in _KINDS:
        say(f"list: {N_CHECKS} {kind} checks")
        hcl = Hcl(plan.new_folder())
        codes = seed(hcl.folder, N_CHECKS, schedule=schedule)
        with hcl:
            ping, path = f"/ping/{codes[0]}", "/api/v3/checks/"
            taken = median_ms(hcl.port, path, between=ping)
            again = median_ms(hcl.port, path)
        figure = f"`GET checks/`, {N_CHECKS} {kind} checks, each after a ping, median"
        shown = f"{taken:.1f} ms; {again:.1f} ms if nothing has changed"
        rows.append(Row(figure, shown, at_most(goal, taken, "ms")))
    return rows
