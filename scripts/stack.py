"""What scripts/stack needs beside a shell: quotes that go on, a webhook that writes down what comes, and the check of
dashboards, rules and delivery. The standard library only.
"""

import argparse
import http.server
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request

# Told only where sources of market data are configured, which this stack has none of.
ELSEWHERE = ("pregao_source_",)


def quotes(path):
    """Appends a quote of each symbol four times a second."""
    prices = {"PETR4": 16.10, "VALE3": 40.00, "ITUB4": 42.50, "BBAS3": 32.00}
    step = 0
    while True:
        with open(path, "a", encoding="ascii") as file:
            for symbol, price in prices.items():
                bid = price + step % 7 / 100
                file.write(f"{time.time_ns()},{symbol},{bid:.2f},{bid + 0.01:.2f},1000,1000\n")
        step += 1
        time.sleep(0.25)


def webhook(port, path):
    """Writes each body that is posted into a line, after where to."""

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"path": self.path, "body": body}) + "\n")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass

    http.server.HTTPServer(("127.0.0.1", port), Hook).serve_forever()


def filled(query):
    """A query as Grafana fills it in, for a reader who looks at all of time."""
    query = query.replace("${strategy:sqlstring}", "'trend','reversion'").replace("${ticker}", "PETR4")
    query = query.replace("$__rate_interval", "1m")
    return re.sub(r"\$__timeFilter\(([^)]*)\)", r"\1 BETWEEN '2000-01-01' AND '2100-01-01'", query)


def ask(url, **parameters):
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
        return json.load(answer)["data"]


def rows_of_postgres(arguments, query):
    password = pathlib.Path(arguments.password).read_text(encoding="ascii").strip()
    done = subprocess.run(["psql", "--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", arguments.psql, "-c", filled(query)],
                          capture_output=True, text=True, check=False, env={"PGPASSWORD": password, "PATH": "/usr/bin:/bin"})
    if done.returncode:
        return 0, done.stderr.strip()
    return len(done.stdout.splitlines()), ""


def dashboards(arguments):
    """Every query of every dashboard; how many brought nothing."""
    wrong = 0
    for path in sorted(pathlib.Path(arguments.dashboards).glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        print(f"\n{board['title']}")
        asked = [(panel["title"], target) for panel in board["panels"] for target in panel["targets"]]
        asked += [(f"variable {one['name']}", {"rawSql": one["query"]}) for one in board["templating"]["list"]]
        asked += [(f"annotation {one['name']}", one["target"]) for one in board["annotations"]["list"]]
        for title, target in asked:
            if "rawSql" in target:
                source = "Postgres"
                rows, problem = rows_of_postgres(arguments, target["rawSql"])
            else:
                source, problem = "Prometheus", ""
                rows = len(ask(f"{arguments.prometheus}/api/v1/query", query=filled(target["expr"]))["result"])
            if rows:
                print(f"  {rows:>5} rows  {source:<10}  {title}")
            elif any(word in target.get("expr", "") for word in ELSEWHERE):
                print(f"      -       {source:<10}  {title} (no sources are configured here)")
            else:
                wrong += 1
                print(f"  NO ROWS     {source:<10}  {title} {problem}")
    return wrong


def rules(arguments):
    """Every rule of the file, as Prometheus has it; how many are not there or not in order."""
    expected = re.findall(r"^ *- alert: (\w+)", pathlib.Path(arguments.rules).read_text(encoding="utf-8"), re.M)
    groups = ask(f"{arguments.prometheus}/api/v1/rules")["groups"]
    loaded = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    wrong = [name for name in expected if loaded.get(name) != "ok"]
    print(f"\n{len(expected) - len(wrong)} of {len(expected)} alert rules are loaded and in order")
    for name in wrong:
        print(f"  NOT IN ORDER  {name}: {loaded.get(name, 'not loaded')}")
    return len(wrong) or int(not expected)


def delivered(arguments):
    """The alert of the stop at the generic webhook, within a minute; 1 if it does not come."""
    path = pathlib.Path(arguments.delivered)
    began = time.monotonic()
    while time.monotonic() - began < 60:
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            came = json.loads(line)
            if came["path"] != "/pregao":
                continue
            for alert in json.loads(came["body"])["alerts"]:
                if alert["labels"]["alertname"] == "Halted":
                    print(f"\nDelivered to the webhook: {alert['labels']['alertname']}, {alert['annotations']['summary']}")
                    return 0
        time.sleep(0.5)
    print("\nNOT DELIVERED: the alert Halted did not come to the webhook within a minute")
    return 1


def check(arguments):
    # Delivery first: the dashboard of alerts shows those that hold.
    wrong = delivered(arguments) + rules(arguments) + dashboards(arguments)
    print(f"\n{wrong} wrong" if wrong else "\nEvery query brought rows, every rule is loaded, the alert arrived")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("quotes").add_argument("path")
    hook = commands.add_parser("webhook")
    hook.add_argument("port", type=int)
    hook.add_argument("path")
    checking = commands.add_parser("check")
    for name in ("dashboards", "prometheus", "delivered", "rules", "psql", "password"):
        checking.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    if arguments.command == "quotes":
        quotes(arguments.path)
    elif arguments.command == "webhook":
        webhook(arguments.port, arguments.path)
    else:
        sys.exit(check(arguments))


main()
