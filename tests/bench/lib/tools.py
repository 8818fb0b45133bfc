"""The small C programs of the bench, compiled when they are first wanted."""

import os
import shutil
import subprocess
import tempfile

from lib.error import BenchError

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "c")
_built = {}
_folder = None


def tool(name):
    """The path of the program `c/NAME.c`."""
    global _folder
    if name not in _built:
        if _folder is None:
            need("gcc")
            _folder = tempfile.TemporaryDirectory(prefix="vipd-bench-c-")
        path = os.path.join(_folder.name, name)
        done = subprocess.run(["gcc", "-O2", "-o", path, os.path.join(SOURCE, f"{name}.c")],
                              capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise BenchError(f"gcc cannot compile {name}.c: {done.stderr}")
        _built[name] = path
    return _built[name]


def need(program):
    """The path of an installed program."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not path:
        raise BenchError(f"{program} is not installed: apt-get install {program}")
    return path
