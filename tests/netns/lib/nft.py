"""The nftables tables of a node, and which are vipd's."""

import subprocess

from lib.check import equal


def run(node, *argv):
    """A command inside the node: exit code, and all that it said."""
    done = subprocess.run(["ip", "netns", "exec", node.ns, *argv], capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout + done.stderr


def tables(node):
    """The tables of the node."""
    code, said = run(node, "nft", "list", "tables")
    equal(code, 0, f"exit code of nft ({said})")
    return [line.removeprefix("table ") for line in said.splitlines()]


def table_of(vipd, purpose=""):
    """What vipd calls its table: of Accept_Mode, or of another purpose."""
    return f"inet vipd-{vipd.proc.pid}{purpose}"
