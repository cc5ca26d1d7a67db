# SPDX-License-Identifier: PostgreSQL
"""The load generator (bench/load.c) as a process."""

import json
import subprocess
import threading

import lib_process as process
from lib_process import BenchError

# The load gives up by itself when nothing moves; this is for a load that hangs.
HANG_S = 120


class Load:
    """One run, a context manager. With the options idle or hold the clients rest until its end."""

    def __init__(self, tools, port, options):
        command = [tools.load, "--port", port]
        for name, value in options.items():
            if value is True:
                command.append(f"--{name}")
            elif value is not None:
                command += [f"--{name}", value]
        self._log = tools.directory / "load.log"
        self._log.write_text("")
        self._process = process.start(
            command,
            self._log,
            cpus=tools.other_cpus,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        limit_s = HANG_S + int(options.get("seconds") or 0)
        self._watchdog = threading.Timer(limit_s, self._process.kill)
        self._watchdog.start()

    def begin(self):
        """Returns when the measured time starts, or when all rest."""
        self._line("begin")

    def end(self):
        """The figures, as soon as the measured time is over. Any error makes them worthless."""
        figures = json.loads(self._line("{"))
        if figures["errors"] or figures["lost"]:
            raise BenchError(f"{figures['errors']} errors: {figures['first_error']}")
        return figures

    def stop(self):
        self._watchdog.cancel()
        process.stop(self._process)

    def _line(self, start):
        line = self._process.stdout.readline()
        if not line.startswith(start):
            self._process.kill()
            self._process.wait()
            words = self._log.read_text(errors="replace").strip()[-300:]
            raise BenchError(f"the load ended early: {words or line or 'killed'}")
        return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
