"""The supervisor of `aios up`, with real children that die, hang, fork and refuse to end."""

import asyncio
import os
import secrets
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from infrastructure.embedded.errors import ServiceStartError
from infrastructure.embedded.listening import listening_socket
from infrastructure.embedded.processes import Backoff
from tests.infrastructure.embedded.processes_alive import eventually, marked_processes
from tests.infrastructure.embedded.supervisor_process import SupervisorProcess

SLEEP = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
FORKS = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {code!r}]{extra}); time.sleep(600)"
)
SERVES = """
import http.server, os, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.HTTPServer(("", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(sys.argv[1]))
server.serve_forever()
"""


@pytest.fixture
def tag():
    """A word that stands in the command line of every process of one test."""
    return f"tag-{secrets.token_hex(8)}"


@pytest.fixture
def supervise(tag):
    running = []

    def start(*members: str) -> SupervisorProcess:
        running.append(SupervisorProcess(*members))
        return running[-1]

    yield start
    for supervisor in running:
        if supervisor.process.poll() is None:
            supervisor.process.kill()
    for pid in marked_processes(tag):
        os.kill(pid, signal.SIGKILL)
    for supervisor in running:
        supervisor.process.communicate()


def tagged(code: str, tag: str) -> str:
    return f"{code}  # {tag}"


def child_pids(tag: str, supervisor: SupervisorProcess) -> list[int]:
    return [pid for pid in marked_processes(tag) if pid != supervisor.process.pid]


def new_child(tag: str, supervisor: SupervisorProcess, seen: set[int]) -> int:
    """Wait for a child that was not seen before; while it becomes its program it has no command line."""
    found: set[int] = set()

    def looked() -> set[int]:
        found.update(set(child_pids(tag, supervisor)) - seen)
        return found

    assert eventually(looked)
    (pid,) = found
    return pid


def first_word(file: Path) -> str:
    """Return what a file begins with; nothing while it is away or empty, as while it is made anew."""
    try:
        return next(iter(file.read_text().split()), "")
    except FileNotFoundError:
        return ""


def ignores_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(ignored, 16) >> (signal.SIGTERM - 1) & 1)


def test_children_start_in_order_and_stop_in_reverse(supervise, tag, tmp_path):
    log = tmp_path / "log"
    code = (
        "import signal, sys, time\n"
        f"def note(what): open({str(log)!r}, 'a').write(what + '\\n')\n"
        "signal.signal(signal.SIGTERM, lambda *_: (note('-NAME'), sys.exit()))\n"
        f"note('+NAME'); time.sleep(600) # {tag}"
    )
    once = f"once:migrate=open({str(log)!r}, 'a').write('+once\\n')"
    supervisor = supervise(once, *(f"{name}={code.replace('NAME', name)}" for name in ("one", "two")))
    supervisor.wait_for("READY")
    assert eventually(lambda: log.read_text().count("\n") == 3)

    supervisor.process.send_signal(signal.SIGINT)

    status, output = supervisor.end()
    assert status == 0
    assert "STOPPED" in output
    lines = log.read_text().split()
    assert lines[0] == "+once"
    assert sorted(lines[1:3]) == ["+one", "+two"]
    assert lines[3:] == ["-two", "-one"]
    assert marked_processes(tag) == []


def test_a_killed_child_is_started_again_and_that_is_said_on_one_line(supervise, tag):
    supervisor = supervise(f"worker={tagged(SLEEP, tag)}")
    supervisor.wait_for("READY")
    seen: set[int] = set()
    for delay in ("0.1", "0.2", "0.4"):
        pid = new_child(tag, supervisor, seen)
        seen.add(pid)
        os.kill(pid, signal.SIGKILL)
        line = supervisor.wait_for("worker")
        assert line == f"worker was ended by SIGKILL; starting it again in {delay} s\n"
    new_child(tag, supervisor, seen)


def test_a_child_that_ignores_sigterm_is_killed(supervise, tag):
    supervisor = supervise(f"slow:stubborn={tagged(STUBBORN, tag)}")
    supervisor.wait_for("READY")
    assert eventually(lambda: any(map(ignores_sigterm, child_pids(tag, supervisor))))
    supervisor.process.terminate()

    status, output = supervisor.end()

    assert status == 0
    assert "stubborn does not stop; killing it" in output
    assert marked_processes(tag) == []


@pytest.mark.parametrize("extra", ["", ", start_new_session=True"], ids=["same group", "own session"])
@pytest.mark.parametrize("code", [SLEEP, STUBBORN], ids=["polite", "stubborn"])
def test_no_grandchild_is_left_behind(supervise, tag, code, extra):
    parent = FORKS.format(code=tagged(code, tag), extra=extra)
    supervisor = supervise(f"parent={tagged(parent, tag)}")
    supervisor.wait_for("READY")
    assert eventually(lambda: len(child_pids(tag, supervisor)) == 2)
    if code == STUBBORN:
        assert eventually(lambda: any(map(ignores_sigterm, child_pids(tag, supervisor))))

    supervisor.process.terminate()

    assert supervisor.end()[0] == 0
    assert marked_processes(tag) == []


def test_what_a_killed_child_had_started_ends_before_it_is_started_again(supervise, tag):
    parent = FORKS.format(code=tagged(SLEEP, tag), extra="")
    supervisor = supervise(f"parent={tagged(parent, tag)}")
    supervisor.wait_for("READY")
    assert eventually(lambda: len(child_pids(tag, supervisor)) == 2)
    before = set(child_pids(tag, supervisor))
    os.kill(min(before), signal.SIGKILL)

    supervisor.wait_for("starting it again")

    assert not before & set(child_pids(tag, supervisor))
    assert eventually(lambda: len(child_pids(tag, supervisor)) == 2)


def test_signals_twice_and_to_the_whole_group_are_one_stop(supervise, tag):
    slow = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), sys.exit()))\n"
    supervisor = supervise(f"one={slow}time.sleep(600) # {tag}", f"two={tagged(SLEEP, tag)}")
    supervisor.wait_for("READY")
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        supervisor.process.send_signal(sign)

    status, output = supervisor.end()

    assert (status, output.count("STOPPED")) == (0, 1)
    assert marked_processes(tag) == []


def test_a_killed_supervisor_takes_its_children_with_it(supervise, tag):
    supervisor = supervise(f"one={tagged(SLEEP, tag)}", f"two={tagged(SLEEP, tag)}")
    supervisor.wait_for("READY")
    assert eventually(lambda: len(child_pids(tag, supervisor)) == 2)

    supervisor.process.kill()
    supervisor.process.wait()

    assert eventually(lambda: not marked_processes(tag))


def test_a_child_that_cannot_start_fails_the_start_and_stops_the_rest(supervise, tag):
    broken = supervise(f"good={tagged(SLEEP, tag)}", "once:migrate=import sys; sys.exit(3)")
    status, output = broken.end()
    assert status == 1
    assert "FAILED migrate ended with status 3 before it was ready" in output
    assert "READY" not in output
    assert marked_processes(tag) == []


def test_a_stop_during_the_start_ends_it(supervise, tag):
    supervisor = supervise(f"good={tagged(SLEEP, tag)}", f"once:endless={tagged(SLEEP, tag)}")
    assert eventually(lambda: len(child_pids(tag, supervisor)) == 2)

    supervisor.process.terminate()

    status, output = supervisor.end()
    assert status == 0
    assert "READY" not in output
    assert marked_processes(tag) == []


async def test_no_attempt_to_connect_is_refused_while_the_api_is_started_again(supervise, tag):
    supervisor = supervise(f"serve:api={SERVES}# {tag}")
    port = int((await asyncio.to_thread(supervisor.wait_for, "port ")).split()[1])
    await asyncio.to_thread(supervisor.wait_for, "READY")

    def ask() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            return int(answer.read())

    first = await asyncio.to_thread(ask)
    os.kill(first, signal.SIGKILL)
    answers = [await asyncio.to_thread(ask) for _ in range(20)]

    assert first not in answers
    assert len(set(answers)) == 1


def test_a_taken_port_is_named_with_the_cure():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServiceStartError, match=f"port {port} on 127.0.0.1 is in use.*AIOS_PORT"):
            listening_socket("127.0.0.1", port)


def test_backoff_doubles_up_to_its_limit_and_starts_anew_after_a_stable_run():
    backoff = Backoff(first=0.2, most=10.0, stable=10.0)

    assert [backoff.after(0.0) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert backoff.after(11.0) == 0.2
    assert backoff.after(1.0) == 0.4


def test_the_database_is_watched_too_and_stopped_last(supervise, tag, tmp_path):
    data_dir = tmp_path / "aios"
    supervisor = supervise(f"postgres:{data_dir}", f"api={tagged(SLEEP, tag)}")
    supervisor.wait_for("READY")
    pid_file = data_dir / "postgres/data/postmaster.pid"
    killed = first_word(pid_file)
    os.kill(int(killed), signal.SIGKILL)
    assert "starting it again" in supervisor.wait_for("PostgreSQL has ended")
    assert eventually(lambda: first_word(pid_file) not in {"", killed})
    again = first_word(pid_file)

    supervisor.process.terminate()

    assert supervisor.end()[0] == 0
    assert not Path(f"/proc/{again}").exists()
    assert not pid_file.exists()
