"""How much memory the firmware takes, on the board and in its flash.

Measured with MicroPython for 32 bits, where each object is as large as on a board. What
stands in for the board's built-in modules, and for what the interpreter itself takes at
its start, says how much memory it takes and is left out of the figures.
"""

from pathlib import Path

import pytest

from .interpreter import (
    BOARD,
    CLOCK,
    COMPILER,
    FIRMWARE,
    INTERPRETER_32,
    OLDEST_COMPILER,
    SIMULATOR,
    build_firmware,
    compile_modules,
    needs_32_bits,
    run,
    write_config,
)
from .server import ReportServer, report_server

ESP8266 = 38  # kB of heap, says ports/esp8266/main.c
FREE = 6  # kB that compiled, signed reports leave of it at least
# The station lives in less, in kB. Less is better.
SMALLEST = {
    ("legacy", "source"): 33.8,
    ("legacy", "compiled"): 24.8,
    ("signed", "source"): 43.8,
    ("signed", "compiled"): 31.8,
}
FLASH = 63_000  # bytes of all compiled modules
REPORTS = 2_500
LEAK = 100  # bytes that may be missing after all of them
SETTINGS_CHECKED = 3  # the exit code of memory.py after that start


async def _report(
    folder: Path, server: ReportServer, reports: int, heap: int, signed: bool = True
) -> str:
    """Let a station report; return what it printed, or nothing if memory was short.

    `heap` is in kB.
    """
    # What stands in for the LED remembers all blinks.
    write_config(folder, server.port, signed=signed, led=None)
    (folder / "config.json.checked").unlink(missing_ok=True)
    for _ in range(2):
        code, output = await run(
            folder,
            *("-X", f"heapsize={heap}k", "-m", "memory", str(reports)),
            # Relative: a path takes memory, and so would where this is checked out.
            modules=(Path("firmware"), Path("fakes")),
            interpreter=INTERPRETER_32,
        )
        if code != SETTINGS_CHECKED:
            break
    return "" if code or "MemoryError" in output else output


def _prepare(folder: Path, way: str) -> None:
    for fakes in (BOARD, CLOCK, SIMULATOR / "memory.py"):
        compile_modules(fakes, folder / "fakes")
    target = folder / "firmware"
    if way == "compiled":
        build_firmware(target)
        return
    target.mkdir()
    for name in ("main.py", "slots.py", "esp_weather"):
        (target / name).symlink_to(FIRMWARE / name)


def _number(output: str, name: str) -> int:
    (first, *_) = (
        int(line.removeprefix(name))
        for line in output.splitlines()
        if line.startswith(name)
    )
    return first


@pytest.mark.parametrize("compiler", [COMPILER, OLDEST_COMPILER], ids=["new", "old"])
def test_every_module_compiles(
    tmp_path: Path, compiler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The compiler for the ESP8266 takes every module, and they are small."""
    size = compile_modules(
        FIRMWARE / "esp_weather", tmp_path, "-march=xtensa", compiler=compiler
    )
    with capsys.disabled():
        print(f"\nThe firmware, compiled: {size} bytes")  # noqa: T201
    assert size <= FLASH


@needs_32_bits
@pytest.mark.parametrize("way", ["source", "compiled"])
@pytest.mark.parametrize("report", ["legacy", "signed"])
async def test_smallest_heap(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    socket_enabled: None,
    report: str,
    way: str,
) -> None:
    """The station runs within the documented heap.

    With signed reports it delivers full ones, after an outage of half an hour.
    """
    _prepare(tmp_path, way)
    async with report_server() as server:
        simulator = 0

        async def is_enough(heap: int) -> bool:
            nonlocal simulator
            # It varies a little, with what the collector takes for pointers.
            for _ in range(3):
                server.answers = ["unsigned 503"] * 150 + ["200"]
                server.disk, server.memory = {}, {}
                signed = report == "signed"
                if output := await _report(tmp_path, server, 50, heap, signed):
                    simulator = _number(output, "simulator ")
                    return True
            return False

        too_small, enough = 36, 80
        assert await is_enough(enough)
        while enough - too_small > 1:
            heap = (too_small + enough) // 2
            if await is_enough(heap):
                enough = heap
            else:
                too_small = heap
    net = (enough * 1024 - simulator) / 1024
    with capsys.disabled():
        print(  # noqa: T201
            f"\nSmallest heap, {report}, {way}: {net:.1f} kB,"
            f" beside {simulator / 1024:.1f} kB of the simulator"
        )
    assert net <= SMALLEST[report, way]
    if way == "compiled":
        assert ESP8266 - net >= FREE


@needs_32_bits
async def test_no_leak(tmp_path: Path, socket_enabled: None) -> None:
    """2,500 reports, some with bad answers, leave the free memory unchanged."""
    _prepare(tmp_path, "source")
    async with report_server() as server:
        bad = ["200"] * 9
        server.answers = [
            answer
            for name in ("half", "unsigned 200", "other key", "not json", "chunked")
            for answer in (*bad, name)
        ] * 30 + ["200"]
        # What fits is up to the test before: this one leaves some room.
        output = await _report(tmp_path, server, REPORTS, 80)
        assert len(server.requests) > REPORTS
        assert len(server.stored) == REPORTS
    free = [line for line in output.splitlines() if line.startswith("free ")]
    before, after = (int(line.removeprefix("free ")) for line in free)
    assert before - after <= LEAK, output[-500:]
    assert output.endswith("open 0\n")
