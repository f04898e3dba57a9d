"""What both suites share: JVMs and brokers that are started, killed and waited for, and Kafka's tools as Barnabas has them.

Run as: SUITE.py DIRECTORY-OF-JARS PROGRAM"""
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from ports import HOST, free_port

JARS, PROGRAM = sys.argv[1:3]
PATIENCE = 180  # seconds, for a machine that is slow and busy
JAVA = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", JARS + "/*"]
work = tempfile.mkdtemp()
began = time.monotonic()
processes = []


def say(what):
    print("%5.1f s  %s" % (time.monotonic() - began, what), flush=True)


def until(what, holds):
    """Waits until something holds, and returns it. A question that can't be answered is asked again."""
    deadline, why = time.monotonic() + PATIENCE, None
    while True:
        try:
            got, why = holds(), None
        except (OSError, ValueError, KeyError, http.client.HTTPException, subprocess.SubprocessError, Refused) as e:
            got, why = None, e
        if got:
            say(what)
            return got
        if time.monotonic() > deadline:
            raise AssertionError("in vain waited for: %s (%s)" % (what, why))
        time.sleep(0.1)


class Refused(Exception):
    """A tool that failed."""


class Process:
    def __init__(self, name, command):
        self.name, self.command = name, command
        self.log = os.path.join(work, name + ".log")
        self.process = None
        processes.append(self)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process = None

    def said(self):
        try:
            with open(self.log, errors="replace") as log:
                lines = [line[:300] for line in log.read().splitlines()]
        except OSError:
            return ""
        bad = [line for line in lines if " ERROR " in line or " WARN " in line or "Exception" in line or "level=" in line]
        return "\n".join(bad[-12:] + ["…"] + lines[-6:])


class Broker(Process):
    """A broker of its own, with a directory that outlives it."""

    def __init__(self, name):
        self.address = "%s:%d" % (HOST, free_port())
        settings = ["listeners=PLAINTEXT://" + self.address, "log.dirs=" + os.path.join(work, name), "http.listener=",
                    "keeper.listener=", "offsets.topic.num.partitions=5", "group.initial.rebalance.delay.ms=0"]
        super().__init__(name, [PROGRAM, "server"] + ["--override=" + s for s in settings])
        self.start()


def tool(name, address, *args, text=None):
    """One of Kafka's tools, to its end: what it printed."""
    command = [PROGRAM, name, "--bootstrap-server", address] + [str(a) for a in args]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode != 0:
        raise Refused("%s: %s%s" % (" ".join(command), done.stdout, done.stderr))
    return done.stdout


def ends(address, topic):
    """The end of each partition's log."""
    rows = tool("kafka-get-offsets", address, "--topic", topic).split()
    return {int(row.split(":")[1]): int(row.split(":")[2]) for row in rows}


def once(values):
    """Values in their order, without what came again: Connect promises each at least once."""
    return list(dict.fromkeys(values))


def main(suite):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))  # so that no process is left behind
    try:
        suite()
    except BaseException:
        for p in processes:
            print("--- %s:\n%s" % (p.name, p.said()))
        raise
    finally:
        for p in processes:
            p.kill()
        shutil.rmtree(work)
