"""Processes that die with the case, and the logs they leave."""

import os
import re
import signal
import subprocess
import threading
import time

from lib.check import CaseFailed, Deadline


class Log:
    """Lines as they come, with the time of each; waiting for one is awaited, not polled."""

    def __init__(self):
        self.lines = []
        self.closed = False
        self._grown = threading.Condition()

    def feed(self, stream):
        """Reads `stream` to its end: the body of the reader thread."""
        for raw in stream:
            self.add(raw.decode(errors="replace").rstrip("\n"))
        self.close()

    def add(self, line):
        """One more line, now."""
        with self._grown:
            self.lines.append((time.time(), line))
            self._grown.notify_all()

    def close(self):
        """There will be no more."""
        with self._grown:
            self.closed = True
            self._grown.notify_all()

    def mark(self):
        """Where the log is now: pass it as `since`."""
        return len(self.lines)

    def matches(self, pattern, since=0):
        """Every line from `since` on that `pattern` is found in."""
        return [text for _, text in self.lines[since:] if re.search(pattern, text)]

    def wait(self, pattern, timeout, since=0):
        """The first match of `pattern` from `since` on, as a match object."""
        deadline, seen = Deadline(timeout), since
        with self._grown:
            while True:
                while seen < len(self.lines):
                    found = re.search(pattern, self.lines[seen][1])
                    if found:
                        return found
                    seen += 1
                if self.closed or deadline.passed():
                    why = "the process ended" if self.closed else f"{timeout} s went by"
                    raise CaseFailed(f"no log line matches {pattern!r}: {why}")
                self._grown.wait(deadline.left())

    def wait_quiet(self, seconds, timeout):
        """Waits until no line came for `seconds`, or `timeout` is over."""
        deadline = Deadline(timeout)
        with self._grown:
            while not deadline.passed() and self._grown.wait(seconds):
                pass

    def wait_count(self, pattern, count, timeout, since=0):
        """Waits until `count` lines from `since` on match."""
        deadline = Deadline(timeout)
        with self._grown:
            while len(self.matches(pattern, since)) < count:
                if self.closed or deadline.passed():
                    seen = len(self.matches(pattern, since))
                    raise CaseFailed(f"{seen} lines instead of {count} match {pattern!r}")
                self._grown.wait(deadline.left())


class Proc:
    """A child in its own session. It must be made by the main thread, with which it dies."""

    def __init__(self, name, argv, read_log=True):
        self.name = name
        self.log = Log()
        self.child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *map(str, argv)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.pid = self.child.pid
        if read_log:
            threading.Thread(target=self.log.feed, args=(self.child.stdout,), daemon=True).start()

    def running(self):
        """Whether it has not ended yet."""
        return self.child.poll() is None

    def signal(self, number):
        """Sends a signal to the process alone."""
        self.child.send_signal(number)

    def wait(self, timeout=10):
        """Its exit code (negative: the signal)."""
        try:
            return self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise CaseFailed(f"{self.name} did not end within {timeout} s") from None

    def terminate(self, timeout=10):
        """SIGTERM, and its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill9(self):
        """SIGKILL to it and all that it started: a crash."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.wait()

    def memory_kb(self, field="RssAnon"):
        """A line of /proc/PID/status in kB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        raise CaseFailed(f"{self.name}: no {field} in /proc/{self.pid}/status")
