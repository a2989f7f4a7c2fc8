"""Firmware over the air: the old or the new version runs, whatever happens.

The flash is a real littlefs in memory, which a power cut leaves as it was.
"""

from binascii import hexlify
from hashlib import sha256
import json
import os

from chips import MCP9808
from helpers import Console, control, run
import vfs
import world

BLOCK = 512
BLOCKS = 512

NEW = {
    "__init__.py": b"VERSION = '9.9'\n",
    "start.py": b"""
def main():
    import slots, world
    print("RUNS 9.9")
    if slots.is_on_trial() and not world.is_new_broken:
        slots.write(slots.read()[0])
    raise world.DeepSleep(1)
""",
    "big.py": b"X = 1\n" + b"# what fills some blocks of the flash\n" * 100,
}


class PowerCut(world.Power):
    """The end of a run amid a write."""


class Flash:
    """Blocks that stay. `cut` is how many writes are left until the power fails."""

    def __init__(self):
        self.data = bytearray(b"\xff" * (BLOCK * BLOCKS))
        self.cut = -1
        self.writes = 0

    def _count(self):
        if self.cut == 0:
            raise PowerCut
        self.cut -= 1
        self.writes += 1

    def readblocks(self, block, buffer, offset=0):
        start = block * BLOCK + offset
        buffer[:] = self.data[start : start + len(buffer)]

    def writeblocks(self, block, buffer, offset=None):
        self._count()
        start = block * BLOCK + (offset or 0)
        self.data[start : start + len(buffer)] = buffer

    def ioctl(self, op, argument):
        if op == 4:
            return BLOCKS
        if op == 5:
            return BLOCK
        if op == 6:
            self._count()  # to erase
        return 0


class Board:
    """A station with a flash of its own."""

    def __init__(self):
        self.flash = Flash()
        vfs.VfsLfs2.mkfs(self.flash)
        self.is_mounted = False
        self.mount()
        config = {
            "wifi": {"ssid": "Home", "password": "password"},
            "server": {"host": "127.0.0.1", "port": int(os.getenv("SERVER_PORT"))},
            "key": "PHDNGI2345",
            "signed": True,
            "led": None,
            "sensors": [{"type": "mcp9808", "field": 1, "scl": 5, "sda": 4}],
        }
        with open("config.json", "w") as file:
            json.dump(config, file)
        world.i2c[5, 4] = {24: MCP9808(20)}
        world.is_new_broken = False

    def mount(self):
        if self.is_mounted:
            os.chdir("/")
            vfs.umount("/flash")
        self.flash.cut = -1
        vfs.mount(vfs.VfsLfs2(self.flash), "/flash")
        self.is_mounted = True
        os.chdir("/flash")

    def start(self, cut=-1, ms=30_000):
        """Switch on and return the console; the power fails at a write."""
        self.mount()
        self.flash.cut = cut
        self.flash.writes = 0
        with Console() as said:
            if isinstance(run(ms), PowerCut):
                said.append("CUT")
        return said


def manifest(files, bytecode=6):
    """Return a manifest, and its digest."""
    content = json.dumps(
        {
            "version": "9.9",
            "bytecode": bytecode,
            "files": {
                name: [len(files[name]), hexlify(sha256(files[name]).digest()).decode()]
                for name in files
            },
        }
    )
    return content, hexlify(sha256(content.encode()).digest()).decode()


def offer(files=NEW, bytecode=6, digest=None, served=None):
    """Have the server offer a version; `served` are the files that it really has."""
    content, right = manifest(files, bytecode)
    texts = {name: (served or files)[name].decode() for name in served or files}
    texts["firmware.json"] = content
    control("FILES " + json.dumps(texts))
    control("FIRMWARE " + json.dumps({"version": "9.9", "sha256": digest or right}))


def withdraw():
    control("FIRMWARE {}")
    control("REQUESTS")


def runs(said):
    """Return the version that ran."""
    return (
        "new" if "RUNS 9.9" in said else "old" if "ESP Weather 0.3.0" in said else said
    )


def status():
    """Return the status of each report that the server got."""
    return [
        json.loads(request.split("\r\n\r\n", 1)[1])["status"]
        for request in control("REQUESTS")
        if request.startswith("POST")
    ]


def test_update():
    """It is ordered in one start, fetched in the next, and runs in the third."""
    board = Board()
    board.start()
    offer()
    said = board.start(ms=90_000)
    assert "The server wants version 9.9" in said, said
    withdraw()
    said = board.start()
    assert "The next start is one of the new firmware" in said, said
    for _ in range(6):
        assert runs(board.start()) == "new"
    with open("slot") as file:
        assert file.read() == "a\n"


def test_rollback():
    """Four starts without a report, one of them for the settings, and it says so."""
    board = Board()
    world.is_new_broken = True
    board.start()
    offer()
    board.start(ms=90_000)
    withdraw()
    board.start()
    assert [runs(board.start()) for _ in range(5)] == ["new"] * 4 + ["old"]
    errors = [each.get("update_error") for each in status()]
    assert errors and set(errors) == {"no_report"}, errors
    board.start()
    assert {each.get("update_error") for each in status()} == {None}


def _fails(error, room=None, **offered):
    board = Board()
    board.start()
    offer(**offered)
    board.start(ms=90_000)
    withdraw()
    if room is not None:
        with open("fill", "wb") as file:
            file.write(bytes(BLOCK * (os.statvfs(".")[3] - room)))
    before = os.statvfs(".")[3]
    said = board.start(ms=900_000)
    assert "No update: " + error in said, said
    assert runs(board.start()) == "old"
    errors = [each.get("update_error") for each in status()]
    assert error in errors, errors
    # What was fetched takes no room: that may be needed for readings.
    assert os.statvfs(".")[3] >= before - 2


def test_wrong_digest():
    _fails("wrong_digest", served=dict(NEW, **{"big.py": b"Y"}))


def test_other_manifest():
    """An older one cannot be passed off: the digest comes in the signed answer."""
    _fails("wrong_digest", digest="0" * 64)


def test_endless_file():
    """A server that lies about a size does not fill the flash."""
    longer = NEW["big.py"] + b"# more\n" * 5_000
    _fails("wrong_digest", room=40, served=dict(NEW, **{"big.py": longer}))


def test_garbage():
    """Files that a power cut on FAT has left as garbage do not stop the station."""
    board = Board()
    board.start()
    for name in ("slot", "slot.new", "update", "sensors.json"):
        for garbage in (b"", b"\xff\xfe\n", b"5\n", b"[5]", b"a b c d\n"):
            with open("config.json") as file:
                config = json.load(file)
            if name == "sensors.json":
                config["sensors"] = "auto"
            config["interval"] = (
                config.get("interval", 60) + 1
            )  # They are checked anew.
            with open("config.json", "w") as file:
                json.dump(config, file)
            with open(name, "wb") as file:
                file.write(garbage)
            for _ in range(2):
                said = board.start()
            assert "field 1 = 20.0" in said, (name, garbage, said)


def test_missing_file():
    _fails("no_answer", served={"__init__.py": b"VERSION = '9.9'\n"})


def test_too_old_micropython():
    _fails("micropython_too_old", bytecode=7)


def test_full_flash():
    _fails("no_space", room=18)


def test_no_wifi():
    board = Board()
    board.start()
    offer()
    board.start(ms=90_000)
    withdraw()
    networks, world.networks = world.networks, {}
    said = board.start(ms=120_000)
    world.networks = networks
    assert "No update: no_wifi" in said, said
    assert runs(board.start()) == "old"


def test_power_cut():
    """At each write of the flash, from the order until the new version is confirmed."""
    board = Board()
    board.start()
    offer()
    board.start(ms=90_000)
    withdraw()
    ordered = bytes(board.flash.data)
    board.start()
    writes = board.flash.writes
    assert writes > 20, writes
    found = {}
    for cut in range(writes):
        board.flash.data[:] = ordered
        said = board.start(cut)
        assert "CUT" in said, said
        version = runs(board.start())
        if version == "old":
            version = runs(board.start())
        found[version] = found.get(version, 0) + 1
    print("power cut at each of", writes, "writes:", found)
    assert set(found) == {"old", "new"}, found
