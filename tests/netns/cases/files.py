"""track_file: numbers in files, multiplied and added, beside keepalived; files and folders that come and go."""

import os
import shutil

from cases.control import ask, status
from lib import conf
from lib.check import check, each, equal, limits
from lib.lab import Lab
from lib.life import reload, replace_file
from lib.peers import Keepalived
from lib.sniffer import is_advert
from lib.vipd import Vipd

# What a fault is on the wire: the farewell.
FAULT = 0
# Weight, and numbers with the priority of 100 that follows. None: the file is removed.
ROWS = {
    "weight 1": [("20", 120), ("-30", 70), ("-200", 1), ("-254", FAULT), ("5", 105), ("300", 254), (None, 100),
                 ("0x10", 116), ("010", 108), (" +7 apples\n", 107), ("word", 100), ("-253", 1)],
    "weight -2": [("20", 60), ("-10", 120), ("127", FAULT), ("0", 100), ("-200", 254)],
    "weight 2 reverse": [("10", 80), ("-10", 120), ("127", FAULT), (None, 100)],
    "weight 254": [("0", 100), ("-1", FAULT), ("1", 254)],
    "weight 0": [("0", 100), ("1", FAULT), (None, 100), ("-1", FAULT), ("0", 100)],
    "weight 0 reverse": [("1", 100), ("0", FAULT), ("-7", 100), (None, FAULT)],
}


def tracked(path, weight="", *more, own=""):
    """A definition, and an instance that tracks it."""
    text = "track_file load {\n" + "".join(f"    {line}\n" for line in (f"file {path}", *more)) + "}\n"
    block = ["track_file {", f"    load {weight}", "}"]
    return text + own + conf.instance(priority=100, extra=block)


def put(path, text):
    """A new text for the file, or none."""
    if text is None:
        os.unlink(path)
    elif os.path.exists(path):
        with open(path, "r+", encoding="ascii") as file:
            file.truncate()
            file.write(text)
    else:
        replace_file(path, text)


def wait_priority(sniffer, priority, since=0):
    """An advert with this priority from `since` on."""
    sniffer.wait_count(lambda f: is_advert(f, "n1") and f.priority == priority, 1, 8,
                       f"an advert with priority {priority}", since)


@each("vipd", "keepalived")
@limits(timeout=120)
def case_priorities_beside_keepalived(kind):
    for weight, steps in ROWS.items():
        with Lab() as lab:
            node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
            path = os.path.join(node.folder("files"), "load")
            put(path, steps[0][0])
            (Keepalived if kind == "keepalived" else Vipd)(node, tracked(path, weight))
            mark = 0
            for text, priority in steps:
                if mark:
                    put(path, text)
                try:
                    wait_priority(sniffer, priority, mark)
                except Exception as error:
                    raise type(error)(f"{weight}, number {text}: {error}") from error
                mark = sniffer.mark()


@limits(timeout=60)
def case_weight_of_the_definition_and_its_default():
    for words, priority in (((), 110), (("weight 3",), 130), (("weight 3 reverse",), 70)):
        with Lab() as lab:
            node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
            path = os.path.join(node.folder("files"), "load")
            put(path, "10")
            Vipd(node, tracked(path, "", *words))
            wait_priority(sniffer, priority)


@limits(timeout=60)
def case_folder_comes_goes_and_comes_again():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        folder = os.path.join(node.folder("files"), "deep")
        path = os.path.join(folder, "load")
        vipd = Vipd(node, tracked(path))
        wait_priority(sniffer, 100)
        vipd.log.wait(r"warn: file load: .*/deep cannot be watched: No such file.*read each second", 5)
        for number in (10, 20):
            mark = sniffer.mark()
            os.mkdir(folder)
            put(path, str(number))
            wait_priority(sniffer, 100 + number, mark)
            # It is watched by now, or will be with the next second's look.
            mark = sniffer.mark()
            put(path, str(number + 1))
            wait_priority(sniffer, 101 + number, mark)
            mark = sniffer.mark()
            shutil.rmtree(folder)
            wait_priority(sniffer, 100, mark)
        vipd.log.wait(r"effective priority 100 -> 110: 100 \+10 \(file load is 10\)", 1)
        os.mkdir(folder)
        put(path, "-300")
        vipd.wait_state("Initialize", 8)
        [tracker] = status(vipd)["VI_1"]["trackers"]
        equal(tracker, {"kind": "file", "name": "load", "weight": 1, "reverse": False, "up": False, "value": -300,
                        "effect": None, "round_trip_us": None, "reason": None}, "status")
        check("file load: -300, weight 1: holds the instance in Initialize" in ask(vipd, "status")[1], "its line")


@limits(timeout=60)
def case_init_file_and_reload():
    with Lab() as lab:
        node, sniffer = lab.node("n1", conf.NODE1), lab.sniff()
        folder = node.folder("files")
        paths = [os.path.join(folder, name) for name in ("load", "other", "kept")]
        put(paths[1], "1")
        put(paths[2], "5")
        others = "".join(
            f"track_file {name} {{\n    file {path}\n    init_file {words}\n}}\n"
            for name, path, words in (("other", paths[1], "20 overwrite"), ("kept", paths[2], "9")))
        text = tracked(paths[0], "", "init_file -7", own=others)
        text = text.replace("    load \n", "    load\n    other\n    kept weight 0 reverse\n")
        vipd = Vipd(node, text)
        wait_priority(sniffer, 113)
        written = [open(path, encoding="ascii").read().strip() for path in paths]
        equal(written, ["-7", "20", "5"], "what is in the files")
        # A reload reads no file anew that it need not, and writes none.
        mark, config = sniffer.mark(), os.path.join(lab.dir, "n1-vipd.conf")
        put(paths[0], "-8")
        wait_priority(sniffer, 112, mark)
        mark = sniffer.mark()
        said = reload(vipd, config, text.replace("    load\n", "    load weight 2\n"))
        check("changed VI_1" in said, said)
        wait_priority(sniffer, 104, mark)
        equal(open(paths[0], encoding="ascii").read(), "-8", "the file after the reload")
        check(all(f.priority in (112, 104) for f in sniffer.adverts("n1", mark)), "priorities between")
        equal(len(vipd.transitions()), 2, "transitions")
