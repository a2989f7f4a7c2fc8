"""A board with an MCP9808 at the other end of a terminal: raw_repl.py MAC [VERSION].

The unix port has no raw REPL (docs.micropython.org, "The REPL"), with which mpremote
copies files. Here is one around the real interpreter, which has this folder as its
flash. After a reset it runs main.py, if there is one, until Ctrl-C.
"""

from binascii import unhexlify
import io
import sys
import time

import board_sys
from chips import MCP9808
import esp8266  # noqa: F401 # before what asks for the platform
import world

CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
BANNER = b"raw REPL; CTRL-B to exit\r\n>"
write = sys.stdout.buffer.write


def read():
    """Return the next byte."""
    while True:
        try:
            byte = sys.stdin.buffer.read(1)
        except KeyboardInterrupt:
            continue  # There is nothing to interrupt.
        if not byte:
            sys.exit()
        return byte


def run_main():
    """Run main.py from each reset to the next, until Ctrl-C."""
    while True:
        world.forget()
        sys.path.insert(0, "")
        try:
            __import__("main")
        except world.DeepSleep as sleep:
            time.sleep_ms(sleep.args[0])
        except world.Power:
            pass
        except KeyboardInterrupt:
            write(b"\r\nKeyboardInterrupt\r\n")
            return
        except ImportError as err:
            sys.stdout.write(str(err) + "\n")
            return
        else:
            return  # to the prompt


def execute(code, names):
    """Run code as the raw REPL does: output, Ctrl-D, error, Ctrl-D."""
    write(b"OK")
    error = b""
    try:
        exec(code, names)  # noqa: S102
    except world.Power:
        run_main()
        return False
    except BaseException as err:  # noqa: BLE001
        text = io.StringIO()
        sys.print_exception(err, text)
        error = text.getvalue().encode()
    write(CTRL_D + error + CTRL_D + b">")
    return True


def raw_repl():
    """Serve until Ctrl-B, or a reset."""
    names = {"__name__": "__main__"}
    write(BANNER)
    line = b""
    while True:
        byte = read()
        if byte == CTRL_A:
            write(BANNER)
            line = b""
        elif byte == CTRL_B:
            return
        elif byte == CTRL_E and not line:
            if read() == b"A" and read() == CTRL_A:
                write(b"R\x00")  # It has no raw paste.
        elif byte == CTRL_D:
            if not line.strip():
                names = {"__name__": "__main__"}
                write(b"OK\r\nMPY: soft reboot\r\n" + BANNER)
            elif not execute(line, names):
                return
            line = b""
        elif byte != CTRL_C:
            line += byte


def start():
    """Say that a Ctrl-C is taken from now on, and run main.py."""
    write(b"MicroPython\r\n")
    run_main()


def prompt():
    """Serve for ever."""
    while True:
        byte = read()
        if byte == CTRL_A:
            raw_repl()
        elif byte == CTRL_D:
            write(b"MPY: soft reboot\r\n")
            run_main()


if len(sys.argv) > 2:  # another MicroPython, as far as it says so
    version = tuple([int(part) for part in sys.argv[2].split(".")])
    board_sys.implementation = ("micropython", version)
world.mac = unhexlify(sys.argv[1].replace(":", ""))
world.i2c[5, 4] = {24: MCP9808(21.5)}
once = [start]
while True:
    try:
        while once:
            once.pop()()
        prompt()
    except KeyboardInterrupt:  # noqa: PERF203
        pass  # It came between two bytes, where there is nothing to interrupt.
