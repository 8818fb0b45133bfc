"""The router binaries under qemu-user: the command line, then two routers on one wire.

What qemu-user cannot do (7.2, tried) is not judged: PACKET_ADD_MEMBERSHIP fails, where the join of the
group does the work; the error codes of netlink come in the wrong byte order on big-endian machines.
No router can run where it cannot join groups (64-bit machines): only the command line is tested there.
"""

import glob
import tempfile

import routers
from lib.check import check, each, equal, limits
from programs import ROOT, native_output, targets, version

TARGETS = targets()
ROUTERS = [target for target in TARGETS if target.joins()]


@each(*TARGETS)
def case_version(program):
    """It runs, and is what it should be."""
    equal(program.output("--version"), (0, f"vipd {version()}\n", ""), "vipd --version")


@each(*TARGETS)
def case_check_good_and_bad(program):
    """A good file, and the place of the mistake in a bad one."""
    # Others may read the repository's file, which has a password: that would draw a warning.
    with tempfile.NamedTemporaryFile(suffix=".conf") as file:
        with open(f"{ROOT}/tests/config/example.conf", "rb") as example:
            file.write(example.read())
        file.flush()
        code, out, err = program.output("check", file.name)
    equal((code, err), (0, ""), "exit code and standard error of a good file")
    check(out.endswith(": 1 instance(s), 0 warning(s): good\n"), f"unexpected verdict {out!r}")
    code, out, err = program.output("check", "tests/config/broken.conf")
    equal((code, out), (1, ""), "exit code and standard output of a bad file")
    check("broken.conf:12:1: no block is open here: remove this `}`" in err, f"unexpected messages {err!r}")


@each(*TARGETS)
def case_check_says_what_the_native_one_says(program):
    """Every file of the corpus, word by word."""
    files = sorted(glob.glob("tests/config/*.conf", root_dir=ROOT))
    check(len(files) > 5, f"the corpus of tests/config is missing: {files}")
    for file in files:
        here, native = program.output("check", file), native_output("check", file)
        if "install kmod-nft-core" in here[2]:
            # qemu-user has no netfilter sockets; what stands in front is said of the file.
            equal((here[0], native[0]), (3, 0), f"exit codes for {file}")
            equal(here[2].splitlines()[:-1], native[2].splitlines(), f"warnings about {file}")
        else:
            equal(here, native, f"verdict on {file}")


@limits(timeout=90)
@each(*ROUTERS)
def case_active_speaks_the_example_byte_for_byte(program):
    """Version 2 with a password."""
    routers.active_speaks_the_example_byte_for_byte(program)


@limits(timeout=90)
@each(*ROUTERS)
def case_version_3_byte_for_byte(program):
    """Both forms of the checksum."""
    routers.version_3_byte_for_byte(program)


@limits(timeout=120)
@each(*ROUTERS)
def case_native_peer_takes_over_and_gives_back(program):
    """A crash, the cleaning up, preemption, and priority 0."""
    routers.native_peer_takes_over_and_gives_back(program)


@limits(timeout=120)
@each(*ROUTERS)
def case_takes_over_from_a_native_peer(program):
    """The other direction."""
    routers.takes_over_from_a_native_peer(program)


@limits(timeout=120)
@each(*ROUTERS)
def case_keepalived_in_version_3(program):
    """keepalived before and after it."""
    routers.keepalived_in_version_3(program)


@limits(timeout=90)
@each(*ROUTERS)
def case_ipv6_byte_for_byte(program):
    """Adverts, announcements and addresses of IPv6."""
    routers.ipv6_byte_for_byte(program)


@limits(timeout=120)
@each(*ROUTERS)
def case_ipv6_in_turn_with_a_native_peer(program):
    """A crash and a farewell of the peer, by IPv6."""
    routers.ipv6_in_turn_with_a_native_peer(program)
