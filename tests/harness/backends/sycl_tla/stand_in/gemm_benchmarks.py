"""A stand-in for sycl-tla's GEMM benchmark programs, on the real Google Benchmark library.

The library comes with its own Python bindings (package ``google-benchmark``, the release that sycl-tla 0.9.1 builds
against): registration, calibration, manual time, the environment variables and the JSON are the library's. What the
program adds around it follows sycl-tla's sources: options, config file, names, counters, errors, how it ends. Only
the kernels are missing: their times come from a table.

Usage: gemm_benchmarks.py NAME,NAME,... --config_file=FILE, where the names are the benchmarks it registers.

Environment:
STAND_IN_TIMES     file of lines "Config m n k seconds"
STAND_IN_WRONG, STAND_IN_UNABLE, STAND_IN_UNINITIALISED, STAND_IN_MEMORY, STAND_IN_CRASH, STAND_IN_HANG
                   "MxNxK,..." where it fails in that way
STAND_IN_ONCE      folder for marks: crashes and hangs happen on the first visit only
STAND_IN_CHILD     file for the process id of a child that a hang leaves behind
STAND_IN_PASSES    file that gets one line for each time a benchmark's body is entered
STAND_IN_GARBAGE   set: text without meaning on standard output
STAND_IN_NO_DEVICE set: no device is found
"""

import math
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import google_benchmark as benchmark
from google_benchmark import _benchmark

DEFAULTS = {"m": "5120", "n": "4096", "k": "4096", "l": "1", "alpha": "1", "beta": "0", "bm_name": "GEMM"}
LARGEST_DOUBLE = sys.float_info.max


def terminate(kind, message):
    """End as a C++ program does that nobody catches an exception of."""
    sys.stderr.write(f"terminate called after throwing an instance of '{kind}'\n  what():  {message}\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGABRT)


def command_line(words):
    """Read ``--key=value``; what else stands there is ignored, and of a key that repeats the first counts."""
    found = {}
    for word in words:
        if word.startswith("--"):
            key, _, value = word[2:].partition("=")
            found.setdefault(key, value)
    return found


def asked(switch, cell):
    if cell not in os.environ.get(switch, "").split(","):
        return False
    folder = os.environ.get("STAND_IN_ONCE")
    if folder is None:
        return True
    mark = Path(folder) / f"{switch}-{cell}"
    visited = mark.exists()
    mark.touch()
    return not visited


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def quotient(over, under):
    """Divide as C++ does, where 0 / 0 is no number and no error."""
    if under:
        return over / under
    return math.copysign(math.inf, over) * math.copysign(1.0, under) if over else math.nan


def seconds_of(config, m, n, k):
    for line in Path(os.environ["STAND_IN_TIMES"]).read_text().splitlines():
        name, *sizes, seconds = line.split()
        if (name, *map(int, sizes)) == (config, m, n, k):
            return float(seconds)
    raise SystemExit(f"STAND_IN_TIMES has no {config} {m} {n} {k}")


def body_of(config, options):
    m, n, k, batches = (int(options[key]) for key in ("m", "n", "k", "l"))
    cell = f"{m}x{n}x{k}"

    def body(state):
        if "STAND_IN_PASSES" in os.environ:
            with Path(os.environ["STAND_IN_PASSES"]).open("a") as file:
                file.write(f"{config} {cell}\n")
        if asked("STAND_IN_CRASH", cell):
            sys.stderr.write("Segmentation fault in the level_zero driver\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGSEGV)
        if asked("STAND_IN_HANG", cell):
            child = subprocess.Popen(["sleep", "600"])
            if "STAND_IN_CHILD" in os.environ:
                Path(os.environ["STAND_IN_CHILD"]).write_text(str(child.pid))
            time.sleep(600)
        # Several of these can hold: the library keeps the last message.
        if asked("STAND_IN_MEMORY", cell):
            state.skip_with_error("Device allocation failed.")
        if n % 8 or k % 8 or asked("STAND_IN_UNABLE", cell):
            state.skip_with_error("GEMM unable to implement given args.")
        if asked("STAND_IN_UNINITIALISED", cell):
            state.skip_with_error("GEMM failed to initialize.")
        if state.error_occurred:
            return
        if asked("STAND_IN_WRONG", cell):
            state.skip_with_error("Disposition Failed.")
        for key in ("m", "n", "k", "l", "alpha", "beta"):
            state.counters[key] = float(options[key])
        state.set_label("layoutA=RowMajor layoutB=RowMajor layoutC=RowMajor ")
        gflop = 2e-9 * m * n * k * batches
        megabytes = 1e-6 * batches * (2 * m * k + 2 * k * n + (2 if float(options["beta"]) else 1) * 4 * m * n)
        truth = 1e3 * seconds_of(config, m, n, k)
        total, best, worst, done = 0.0, LARGEST_DOUBLE, -LARGEST_DOUBLE, 0
        while state:
            # The first launch is slow and the second is fast: the average without both is the truth.
            elapsed = float32(truth * (1.5, 0.75)[done] if done < 2 else truth)
            total, best, worst, done = total + elapsed, min(best, elapsed), max(worst, elapsed), done + 1
            state.set_iteration_time(float32(elapsed / 1000))
        state.counters["total_runtime_ms"] = total
        state.counters["best_runtime_ms"] = best
        state.counters["worst_runtime_ms"] = worst
        average = quotient(total - best - worst, done - 2)
        state.counters["avg_runtime_ms"] = average
        state.counters["avg_tflops"] = quotient(gflop, average)
        state.counters["avg_throughput"] = quotient(megabytes, average)
        state.counters["best_tflop"] = quotient(gflop, best)
        state.counters["best_bandwidth"] = quotient(megabytes, best)

    return body


def register(line, known):
    words = line.split()
    if not words:
        # argv[0] of an empty list.
        os.kill(os.getpid(), signal.SIGSEGV)
    if "STAND_IN_NO_DEVICE" in os.environ:
        terminate("sycl::_V1::exception", "No device of requested type available.")
    options = {**DEFAULTS, **command_line(words[1:])}
    if words[0] not in known:
        terminate("std::runtime_error", "Benchmark not found")
    sizes = "x".join(options[key] for key in ("m", "n", "k", "l"))
    name = f"{words[0]}/{options['bm_name']}/{sizes}"
    registered = _benchmark.RegisterBenchmark(name, body_of(words[0], options))
    registered.use_manual_time().unit(benchmark.kMillisecond)


def main():
    known = sys.argv[1].split(",")
    options = command_line(sys.argv[2:])
    if not options.get("config_file"):
        sys.stderr.write("Benchmark configuration file not found.\nAborting execution.\n")
        return 255
    try:
        lines = Path(options["config_file"]).read_text().split("\n")
    except OSError:
        sys.stderr.write(f"Failed to open configuration file: {options['config_file']}\n")
        return 1
    if "STAND_IN_GARBAGE" in os.environ:
        sys.stdout.write('{"context": {}, "benchmarks": [{"name": "not this one"\n\x00\x07' * 2000)
        sys.stdout.flush()
    for line in lines:
        if line and line.find("#") != 0:
            register(line, known)
    # No arguments reach the library: it knows no name of the program, and reads its environment alone.
    benchmark.initialize(["unknown"])
    benchmark.run_benchmarks()
    return 0


if __name__ == "__main__":
    sys.exit(main())
