"""Runs the program under test."""
import json
import subprocess
import sys
import time


class Program:
    def __init__(self, path):
        self.path = path

    def run(self, *arguments, text_in=""):
        """Standard output; a failure ends the test with the program's message."""
        done = subprocess.run([self.path, *map(str, arguments)], input=text_in, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            sys.exit(f"FAIL: coppice {' '.join(map(str, arguments))}: exit code {done.returncode}\n"
                     f"{done.stderr[-2000:]}")
        return done.stdout

    def lines(self, rows, *arguments):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        return [json.loads(line) for line in self.run(*arguments, text_in=text).splitlines()]

    def tokenize(self, folder, texts, special):
        return self.lines(texts, "tokenize", "--model", folder, *["--special"] * special)

    def decode(self, folder, ids, skip):
        return self.lines(ids, "tokenize", "--model", folder, "--decode", *["--skip-special"] * skip)

    def generate(self, folder, rows, tokens, *arguments):
        return self.lines(rows, "generate", "--model", folder, "--compute", "f32",
                          "--max-new-tokens", tokens, *arguments)

    def seconds(self, *arguments, text_in="", repeats=5):
        """Fastest of several runs from start to end, and the output of the last."""
        best = float("inf")
        for _ in range(repeats):
            start = time.monotonic()
            out = self.run(*arguments, text_in=text_in)
            best = min(best, time.monotonic() - start)
        return best, out
