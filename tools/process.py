"""Resources that a process uses, as Linux counts them."""

from pathlib import Path


def memory(process: int) -> int:
    """Return the bytes of memory that a process holds (its resident set)."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def open_files(process: int) -> int:
    """Return how many files and sockets a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))
