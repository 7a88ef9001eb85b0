"""A launcher: starts a program so that it cannot outlive its parent.

It is run as a script, by its path, and imports only the standard library:

    python -I -S launch.py exec|watch PARENT_PID PID_FILE PROGRAM [ARGUMENT…]

nats-server does not notice that its parent died. The parent cannot safely set this up between fork and
exec (`preexec_fn`), because it has threads; so this small program runs between them. It makes its own
process group, so that Ctrl-C at the terminal reaches only the parent, which then stops its children in
order.

- `exec` (Linux): asks the kernel for SIGTERM when the parent's thread ends, writes the pid file, then
  becomes the program.
- `watch` (elsewhere): starts the program and stays. When standard input ends, because the parent's end
  of the pipe is closed, it ends the program: SIGTERM, and SIGKILL after ten seconds.

The pid file is written before the program can touch any file, so a pid file that is found later is
complete.
"""

import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
KILL_AFTER = 10.0


def main(mode: str, parent: int, pid_file: str, command: list[str]) -> None:
    """Starts the program; does not return in mode `exec`."""
    os.setpgid(0, 0)
    if mode == "exec":
        import ctypes

        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:  # the parent died before the line above
            sys.exit(1)
        write_pid(pid_file, os.getpid())
        os.execv(command[0], command)
    child = os.fork()
    if child == 0:
        write_pid(pid_file, os.getpid())
        os.execv(command[0], command)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    threading.Thread(target=end_with_input, args=(child,), daemon=True).start()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def write_pid(path: str, pid: int) -> None:
    """Writes the pid file atomically, so that a reader finds a whole number or no file."""
    with open(path + ".new", "w") as file:
        file.write(f"{pid}\n")
    os.replace(path + ".new", path)


def end_with_input(child: int) -> None:
    """Waits for the end of standard input, then ends the child."""
    while os.read(0, 1):
        pass
    os.kill(child, signal.SIGTERM)
    time.sleep(KILL_AFTER)
    os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
