#!/usr/bin/env python3
"""Inputs that once gave a wrong answer, each a folder with what is right by the published libraries.

  test_faults.py [FOLDER...]      default: $COPPICE_FAULTS (parted by ':'), else tests/data/faults

A folder of cases holds one folder a case: expected.json with `command` (a shell line, run in the
case's folder; OUT stands for a path that does not exist yet) and `right`, beside the files that the
command reads. `right` is what the output must be:

  a list or a string    what a line of output is, or one value for each line (KEYS_OF_LINES)
  an object             each key by its check in KEYS; a `rule` in words may say what else is right
                        (RULES): then either way passes

A key, rule or string that no check knows fails: nothing passes unread. To teach a new form, write a
check(case) that raises Wrong and name it in one of the tables.
"""
import json
import os
import struct
import subprocess
import sys

from lib import COPPICE, ENV, TOP, scratch

REFUSALS = (3, 4, 5, 8)  # exit codes of what is refused by name


class Wrong(Exception):
    pass


class Case:
    """One case after its command ran: code, out, err, and lines, the JSON lines of its output."""

    def __init__(self, folder, place):
        self.folder, self.place = folder, place
        with open(os.path.join(folder, "expected.json"), encoding="utf-8") as file:
            self.expected = json.load(file)
        self.right = self.expected["right"]
        self.out_path = os.path.join(place, "out")
        self.code, self.out, self.err = self.run(self.expected["command"].replace("OUT", self.out_path))
        self.lines = json_lines_of(self.out)

    def run(self, command):
        path = os.path.join(self.place, "bin")
        os.makedirs(path, exist_ok=True)
        if not os.path.exists(os.path.join(path, "coppice")):
            os.symlink(COPPICE, os.path.join(path, "coppice"))
        done = subprocess.run(["bash", "-c", command], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
                              env=dict(ENV, PATH=path + os.pathsep + ENV["PATH"]))
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    def value(self, key):
        """Of the first line of output."""
        self.needs(self.lines and isinstance(self.lines[0], dict) and key in self.lines[0],
                   f"no {key!r} in the output {self.out[:200]!r}")
        return self.lines[0][key]

    def needs(self, condition, message):
        if not condition:
            raise Wrong(f"{message}\n      code {self.code}, stderr: {self.err.strip()[:500]}")

    def succeeds(self):
        self.needs(self.code == 0, "the command failed")


def json_lines_of(text):
    lines = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            lines.append(line)
    return lines


def close(a, b, tolerance=2e-3):
    return len(a) == len(b) and all(abs(x - y) <= tolerance for x, y in zip(a, b))


# --- what `right` may hold as it is ------------------------------------------------------------

KEYS_OF_LINES = ("reward", "ids", "text", "correct", "extracted")


def is_output(case, right):
    """A line of output, all lines of output, or a key of each or of the first line."""
    forms = [case.lines, case.lines[0] if len(case.lines) == 1 else case.lines]
    for key in KEYS_OF_LINES:
        if case.lines and all(isinstance(line, dict) and key in line for line in case.lines):
            values = [line[key] for line in case.lines]
            forms += [values, values[0] if len(values) == 1 else values]
    case.succeeds()
    case.needs(right in forms, f"gave {case.out.strip()[:600]!r}, not {json.dumps(right)}")


# --- keys of an object -------------------------------------------------------------------------

def has(key):
    def check(case):
        case.succeeds()
        case.needs(case.value(key) == case.right[key], f"{key}: {case.value(key)}, not {case.right[key]}")
    return check


def has_logits(case):
    case.succeeds()
    want = case.right["logits 0..4"]
    got = case.value("logits")[:len(want)]
    case.needs(close(got, want), f"logits {got}, not {want}")


def answers_as_transformers(case):
    case.succeeds()
    want = case.right["transformers greedy"]
    case.needs(case.value("ids") == want, f"ids {case.value('ids')}, not {want}")


def export_answers(case):
    """What was exported answers the case's input as the base with the recipe does."""
    case.succeeds()
    want = case.right["exported, transformers"]
    code, out, err = case.run(f"coppice generate --compute f32 --max-new-tokens {len(want)} "
                              f"--model {case.out_path} < input.jsonl")
    case.needs(code == 0, f"the export does not load: {err}")
    case.needs(json.loads(out)["ids"] == want, f"the export answers {out.strip()}, not {want}")


def exit_code(case):
    case.needs(case.code == case.right["rc"], f"code {case.code}, not {case.right['rc']}")


def says(case):
    case.needs(case.right["stderr"] in case.err, f"does not say {case.right['stderr']!r}")


KEYS = {"ids": has("ids"), "text": has("text"), "finish": has("finish"), "logits 0..4": has_logits, "rc": exit_code,
        "stderr": says, "transformers greedy": answers_as_transformers, "exported, transformers": export_answers}

# --- rules in words ----------------------------------------------------------------------------

def same_for_both_lines(case):
    """Messages, and below them the ids that the library makes of them: the same prompt."""
    case.succeeds()
    case.needs(len(case.lines) == 2, f"{len(case.lines)} lines of output")
    a, b = (line["prompt_log_probability"] for line in case.lines)
    case.needs(abs(a - b) < 1e-3, f"log-probability of the prompt {a}, of the right ids {b}")


def one_output_tensor(case):
    tensors = read_safetensors(os.path.join(case.out_path, "model.safetensors"))
    head = tensors.get("lm_head.weight")
    case.needs(head is None or head == tensors["model.embed_tokens.weight"], "lm_head.weight differs")


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    return {name: data[8 + size + tensor["data_offsets"][0]:8 + size + tensor["data_offsets"][1]]
            for name, tensor in json.loads(data[8:8 + size]).items() if name != "__metadata__"}


def loads(case):
    case.succeeds()


def refusal(case):
    case.needs(case.code in REFUSALS and case.err.strip(), "neither right nor refused")


def told(*words):
    def check(case):
        case.needs(case.code == 0 and any(word in case.err for word in words), f"says nothing of {words[0]}")
    return check


# (words of the rule, check, whether the keys must hold as well). The first row whose words all occur
# is what the rule asks for.
RULES = [(("same for both lines",), same_for_both_lines, False),
         (("lm_head.weight", "has the bits of"), one_output_tensor, True),
         (("date", "said out loud"), told(" date"), False),
         (("loads",), loads, False)]
# What also passes where the rule has these words.
OTHERWISE = [(("refus",), refusal), (("say on stderr", "not applied"), told("repetition_penalty", "not applied"))]


def matching(table, rule):
    return [row for row in table if all(word in rule for word in row[0])]


def right_by(case, rule, keys):
    asked = matching(RULES, rule)[:1]
    checks = [row[1] for row in asked]
    if not asked or asked[0][2]:
        for key in keys:
            if key not in KEYS:
                raise Wrong(f"no check knows the key {key!r}")
            checks.append(KEYS[key])
    if not checks:
        raise Wrong(f"no check knows the rule {rule!r}")
    for check in checks:
        check(case)


def judge(case):
    right = case.right
    if isinstance(right, str) and matching(RULES, right):
        right = {"rule": right}
    if not isinstance(right, dict):
        is_output(case, right)
        return
    rule = right.get("rule", "")
    try:
        right_by(case, rule, [key for key in right if key != "rule"])
    except Wrong:
        others = [row[1] for row in matching(OTHERWISE, rule)]
        for other in others:
            try:
                other(case)
                return
            except Wrong:
                pass
        raise


def main():
    named = sys.argv[1:] or [d for d in os.environ.get("COPPICE_FAULTS", "").split(":") if d]
    wrong = count = 0
    for top in named or [os.path.join(TOP, "tests", "data", "faults")]:
        for name in sorted(os.listdir(top)):
            folder = os.path.join(os.path.abspath(top), name)
            if not os.path.exists(os.path.join(folder, "expected.json")):
                continue
            count += 1
            with scratch() as place:
                try:
                    judge(Case(folder, place))
                except (Wrong, subprocess.TimeoutExpired, KeyError, ValueError, OSError) as error:
                    wrong += 1
                    print(f"FAIL: {name}: {type(error).__name__}: {error}")
    print(f"* {count - wrong} of {count} inputs give what is right")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
