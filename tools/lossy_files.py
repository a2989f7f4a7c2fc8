"""A file system that loses what was not synced, to simulate power cuts.

Run `python -m tools.lossy_files MOUNT LIVE DISK`: it shows at MOUNT what is in the folder
LIVE, and keeps in the folder DISK what a disk would hold after a power cut: what was
synced, and by chance some of the blocks that the kernel has written meanwhile. The cut
comes when the file `cut` is made at MOUNT; from then on every access fails.

A file's name is there after a cut only if its folder was synced. Renaming and deleting
take effect on the disk at once. Needs FUSE (Debian's package fuse3) and /dev/fuse.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import errno
from functools import wraps
import os
from pathlib import Path
from random import Random
import shutil
import subprocess
import sys
import time
from typing import Any

BLOCK = 4096  # bytes that a disk writes at once
WRITTEN_BY_CHANCE = 0.3
CUT = "cut"
MOUNT_LIMIT = 20  # seconds


class LossyFilesMissingError(Exception):
    """FUSE is not available; the text names what is missing."""


class LossyDisk:
    """A folder of files, served to a program until the power is cut."""

    def __init__(self, folder: Path) -> None:
        """Lay out an empty disk in `folder`. Raises LossyFilesMissingError."""
        if not Path("/dev/fuse").exists():
            raise LossyFilesMissingError("there is no /dev/fuse")
        if shutil.which("fusermount3") is None:
            raise LossyFilesMissingError("Debian's package fuse3 is missing")
        self.mount = folder / "mount"
        self.disk = folder / "disk"
        self.live = folder / "live"
        for each in self.mount, self.disk, self.live:
            each.mkdir(parents=True)

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Serve the content of the disk until the block ends, cut or not."""
        shutil.rmtree(self.live)
        shutil.copytree(self.disk, self.live)
        command = [sys.executable, "-m", "tools.lossy_files"]
        paths = [str(self.mount), str(self.live), str(self.disk)]
        with subprocess.Popen([*command, *paths]) as server:
            try:
                end = time.monotonic() + MOUNT_LIMIT
                while not self.mount.is_mount():
                    if server.poll() is not None or time.monotonic() > end:
                        raise LossyFilesMissingError("FUSE cannot mount here")
                    time.sleep(0.05)
                yield
            finally:
                subprocess.run(["fusermount3", "-u", "-z", self.mount], check=False)
                server.terminate()

    def cut(self) -> None:
        """Cut the power: whatever is not on the disk is lost."""
        with suppress(OSError):
            (self.mount / CUT).touch()


def serve(mount: str, live: str, disk: str) -> None:  # noqa: C901 - a class in it
    """Serve the file system until it is unmounted."""
    import mfusepy  # noqa: PLC0415 - raises where there is no FUSE

    class LossyFiles(mfusepy.Operations):  # type: ignore[misc]
        """Passes everything to the folder `live`, and synced data to `disk`."""

        use_ns = True

        def __init__(self) -> None:
            self.is_cut = False
            self.dirty: defaultdict[str, set[int]] = defaultdict(set)
            self.named = {
                f"/{each.relative_to(live)}" for each in Path(live).rglob("*")
            }

        def _cut(self) -> None:
            chance = Random()
            for path, blocks in self.dirty.items():
                if os.path.exists(live + path):  # noqa: PTH110
                    some = [b for b in blocks if chance.random() < WRITTEN_BY_CHANCE]
                    self._write_to_disk(path, some)
            for each in Path(disk).rglob("*"):
                if f"/{each.relative_to(disk)}" not in self.named:
                    each.unlink()
            self.is_cut = True

        def _write_to_disk(self, path: str, blocks: list[int]) -> None:
            Path(disk + path).touch()
            with open(live + path, "rb") as now, open(disk + path, "r+b") as then:  # noqa: PTH123
                for block in blocks:
                    now.seek(block * BLOCK)
                    then.seek(block * BLOCK)
                    then.write(now.read(BLOCK))

        def _touch(self, path: str, offset: int, size: int) -> None:
            first, last = offset // BLOCK, (offset + size) // BLOCK
            self.dirty[path].update(range(first, last + 1))

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            status = os.lstat(live + path)
            names = ("st_gid", "st_mode", "st_nlink", "st_size", "st_uid", "st_ino")
            return {name: getattr(status, name) for name in names} | {
                "st_atime": status.st_atime_ns,
                "st_ctime": status.st_ctime_ns,
                "st_mtime": status.st_mtime_ns,
            }

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", *os.listdir(live + path)]  # noqa: PTH208

        def statfs(self, path: str) -> dict[str, int]:
            status = os.statvfs(live)
            return {
                name: getattr(status, name)
                for name in dir(status)
                if name.startswith("f_")
            }

        def create(self, path: str, mode: int, fi: Any = None) -> int:
            if path == f"/{CUT}":
                self._cut()
                raise mfusepy.FuseOSError(errno.EIO)
            return os.open(live + path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

        def open(self, path: str, flags: int) -> int:
            return os.open(live + path, flags & ~os.O_APPEND)

        def release(self, path: str, fh: int) -> int:
            os.close(fh)
            return 0

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return os.pread(fh, size, offset)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            self._touch(path, offset, len(data))
            return os.pwrite(fh, data, offset)

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            os.truncate(live + path, length)
            self._touch(path, length, 0)
            return 0

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            if os.path.exists(live + path):  # noqa: PTH110
                shutil.copyfile(live + path, disk + path)
            self.dirty.pop(path, None)
            return 0

        def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
            for name in os.listdir(live + path):  # noqa: PTH208
                child = f"{path.rstrip('/')}/{name}"
                self.named.add(child)
                Path(disk + child).touch()
            return 0

        def flush(self, path: str, fh: int) -> int:
            return 0

        def unlink(self, path: str) -> int:
            os.unlink(live + path)  # noqa: PTH108
            Path(disk + path).unlink(missing_ok=True)
            self.dirty.pop(path, None)
            self.named.discard(path)
            return 0

        def rename(self, old: str, new: str) -> int:
            os.rename(live + old, live + new)  # noqa: PTH104
            self.fsync(new, 0, 0)
            Path(disk + old).unlink(missing_ok=True)
            self.dirty.pop(old, None)
            self.named.discard(old)
            self.named.add(new)
            return 0

        def chmod(self, path: str, mode: int) -> int:
            os.chmod(live + path, mode)  # noqa: PTH101
            return 0

        def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
            if times is None:
                os.utime(live + path)
            else:
                os.utime(live + path, ns=times)
            return 0

    def until_cut(operation: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(operation)
        def wrapped(files: LossyFiles, *args: Any) -> Any:
            if files.is_cut:
                raise mfusepy.FuseOSError(errno.EIO)
            return operation(files, *args)

        return wrapped

    for name, operation in list(vars(LossyFiles).items()):
        if not name.startswith("_") and callable(operation):
            setattr(LossyFiles, name, until_cut(operation))
    # It raises at the end, and if it cannot mount, which LossyDisk.mounted() sees.
    with suppress(RuntimeError):
        mfusepy.FUSE(
            LossyFiles(), mount, foreground=True, nothreads=True, attr_timeout=0
        )


if __name__ == "__main__":
    serve(*sys.argv[1:])
