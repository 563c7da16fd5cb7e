#!/usr/bin/env python3
"""Compare servers under the same load, in turn: A B A B ..., and print medians and ratios.

  ./bench.py --server lib='deno run -A demo.ts {port}' --server raw='deno run -A raw.ts {port}' \\
             --load 'echo -c 50 -s 64' --load 'hold -c 10000 -t 5' --rounds 5

In each round every server is started, loaded with every --load by ./loadgen, and stopped by its
pid. A command is not run by a shell: it must be the server itself, not a script that starts it,
or memory and CPU time would be those of the script. {port} is replaced by the port.

The ratio is that of each server to the base (the last --server unless --base names one): the
median over the rounds of value / base's value in the same round, with the lowest and highest.
`others` is the CPU time, in % of one core, that neither the server nor loadgen used while a load
ran (other programs, and interrupts); runs where it is high, or differs much, are not to be trusted.
With --quiet PCT a load waits for a quiet machine, and is repeated if `others` was above PCT.
CPU time per message (server_cpu_us_per_msg) suffers least from noise.
"""
import argparse
import json
import os
import resource
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SHOWN = {
    "echo": ["msgs_per_s", "mb_per_s", "latency_p50_us", "latency_p99_us", "server_cpu_us_per_msg"],
    "hold": ["rss_bytes_per_conn", "anon_bytes_per_conn", "server_cpu_ms_per_s",
             "heartbeats_per_s", "server_cpu_us_per_heartbeat"],
    "churn": ["conns_per_s", "cycle_p50_us", "cycle_p99_us", "server_cpu_us_per_conn"],
    "slow": ["server_growth_kib_at_most", "alive_at_end"],
}
MUST_BE_ZERO = ["connect_failed", "closed_by_server", "reset", "mismatches", "outstanding_at_end"]


def named(text):
    name, sign, command = text.partition("=")
    if not sign or not name.strip() or not command.strip():
        raise argparse.ArgumentTypeError("expected NAME=COMMAND")
    return name.strip(), command.strip()


def build():
    source, binary = os.path.join(HERE, "loadgen.c"), os.environ.get("LOADGEN") or os.path.join(
        tempfile.gettempdir(), "loadgen.%d" % os.getuid())
    if not os.path.exists(binary) or os.path.getmtime(binary) < os.path.getmtime(source):
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-o", binary, source], check=True)
    return binary


def busy_seconds():
    """CPU time of the whole machine, less idle and waiting."""
    with open("/proc/stat") as f:
        field = [int(x) for x in f.readline().split()[1:9]]
    return (sum(field) - field[3] - field[4]) / os.sysconf("SC_CLK_TCK")


def process_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        field = f.read().rpartition(")")[2].split()
    return (int(field[11]) + int(field[12])) / os.sysconf("SC_CLK_TCK")


def on_cpu(cpu):
    def prepare():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if cpu >= 0:
            os.sched_setaffinity(0, {cpu})
    return prepare


def answers(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def start(command, arg):
    if answers(arg.port):
        sys.exit("bench: port %d is already in use" % arg.port)
    server = subprocess.Popen(shlex.split(command.replace("{port}", str(arg.port))),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              preexec_fn=on_cpu(arg.server_cpu), cwd=arg.cwd)
    end = time.monotonic() + 15
    while not answers(arg.port):
        if server.poll() is not None or time.monotonic() > end:
            stop(server, arg)
            sys.exit("bench: the server does not answer on port %d: %s" % (arg.port, command))
        time.sleep(0.05)
    time.sleep(0.3)
    return server


def stop(server, arg):
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(3)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    end = time.monotonic() + 5
    while answers(arg.port) and time.monotonic() < end:
        time.sleep(0.05)


def wait_until_quiet(server, arg):
    end = time.monotonic() + arg.patience
    while arg.quiet and time.monotonic() < end:
        busy, used = busy_seconds(), process_seconds(server.pid)
        time.sleep(0.5)
        if busy_seconds() - busy - (process_seconds(server.pid) - used) <= 0.5 * arg.quiet / 100:
            return


def load(binary, server, text, arg):
    for attempt in range(1 + arg.retries if arg.quiet else 1):
        wait_until_quiet(server, arg)
        result = load_once(binary, server, text, arg)
        if result.get("others_pct", 0) <= arg.quiet:
            break
    return result


def load_once(binary, server, text, arg):
    command = [binary, *shlex.split(text), "--port", str(arg.port), "--pid", str(server.pid), "--json"]
    busy, used, mine = busy_seconds(), process_seconds(server.pid), resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, preexec_fn=on_cpu(arg.load_cpu), timeout=arg.timeout)
    seconds, now = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if not done.stdout:
        sys.exit("bench: loadgen gave no result: %s" % shlex.join(command))
    result = json.loads(done.stdout)
    if server.poll() is not None:
        print("bench: the server died under: %s" % text, file=sys.stderr)
        return result
    ours = process_seconds(server.pid) - used + now.ru_utime + now.ru_stime - mine.ru_utime - mine.ru_stime
    result["others_pct"] = max(0.0, (busy_seconds() - busy - ours) / seconds * 100)
    return result


def short(x):
    return "%.0f" % x if abs(x) >= 1000 else "%.4g" % x


def spread(values):
    return "%s [%s..%s]" % (short(statistics.median(values)), short(min(values)), short(max(values)))


def show(text, names, base, results):
    print("\n### %s" % text)
    mode = results[names[0]][0]["mode"]
    keys = [k for k in SHOWN[mode] if all(k in r for n in names for r in results[n])]
    for key in keys:
        print(key)
        for name in names:
            values = [r[key] for r in results[name]]
            line = "  %-16s %-36s" % (name, spread(values))
            pairs = [a / b[key] for a, b in zip(values, results[base]) if b[key]] if base in results else []
            if name != base and len(pairs) == len(values):
                line += "  / %s = %s" % (base, spread(pairs))
            print(line)
    for name in names:
        bad = ["%s=%d" % (k, sum(r.get(k, 0) for r in results[name])) for k in MUST_BE_ZERO
               if sum(r.get(k, 0) for r in results[name])]
        print("  %-16s server CPU %s %%, client CPU %s %%, others %s %%%s" % (
            name, *(short(statistics.median([r.get(k, 0) for r in results[name]]))
                    for k in ("server_cpu_pct", "client_cpu_pct", "others_pct")),
            "   NOT CLEAN: " + " ".join(bad) if bad else ""))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--server", action="append", type=named, required=True, metavar="NAME=COMMAND")
    p.add_argument("--load", action="append", required=True, metavar="'MODE OPTIONS'", help="see loadgen --help")
    p.add_argument("--warm", action="append", default=[], metavar="'MODE OPTIONS'", help="a load not reported, run first")
    p.add_argument("--base", help="name of the server the others are divided by (default: the last)")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--port", type=int, default=7000)
    p.add_argument("--server-cpu", type=int, default=0, help="core for the server, -1: any (0)")
    p.add_argument("--load-cpu", type=int, default=1, help="core for loadgen, -1: any (1)")
    p.add_argument("--timeout", type=float, default=300, help="seconds at most for one load (300)")
    p.add_argument("--quiet", type=float, default=0, metavar="PCT", help="see above (0: take what comes)")
    p.add_argument("--patience", type=float, default=20, help="seconds at most to wait for quiet (20)")
    p.add_argument("--retries", type=int, default=3, help="repetitions at most of a noisy load (3)")
    p.add_argument("--fresh", action="store_true", help="restart the server before each load")
    p.add_argument("--cwd", help="folder to start the servers in")
    p.add_argument("--out", metavar="FILE", help="append every single result to FILE, one JSON object a line")
    arg = p.parse_args()
    names = [name for name, _ in arg.server]
    base = arg.base or names[-1]
    if len(set(names)) != len(names) or base not in names:
        p.error("server names must differ, and --base be one of them")
    binary = build()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: terminated"))    # so that servers are stopped
    results = {text: {name: [] for name in names} for text in arg.load}
    for turn in range(arg.rounds):
        for name, command in arg.server:
            server = start(command, arg)
            try:
                for text in arg.warm:
                    load(binary, server, text, arg)
                for i, text in enumerate(arg.load):
                    if i and arg.fresh:
                        stop(server, arg)
                        server = start(command, arg)
                    result = load(binary, server, text, arg)
                    results[text][name].append(result)
                    if arg.out:
                        with open(arg.out, "a") as f:
                            f.write(json.dumps({"server": name, "load": text, "round": turn, **result}) + "\n")
            finally:
                stop(server, arg)
        print("round %d of %d done" % (turn + 1, arg.rounds), file=sys.stderr)
    for text in arg.load:
        show(text, names, base, results[text])


if __name__ == "__main__":
    main()
