"""What is learnt: splits, prompts, rewards and scores of a search run, all of them as the program has them.

No PyTorch here: whatever is asked of a question is asked of `coppice`."""
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "jobs", "real"))
import results  # noqa: E402


class Task:
    """The task of a finished search run. `folder` gets a file for each split."""

    def __init__(self, run, folder):
        self.tree = results.inspect(run)
        self.keys = results.read_keys(self.tree["job"]["keys"].items())
        self.folder = folder
        if "final" not in self.tree:
            sys.exit(f"gradients: {run} is not finished: its budget and its result are what is compared with")
        other = results.other_rules(self.keys)
        if other:
            sys.exit(f"gradients: {run} sets {', '.join(other)}, which training does not know: take a job without")
        if self.keys.get("task.shots", 0) > 0 and self.keys["task.examples"] == self.keys["task.data"]:
            sys.exit(f"gradients: {run} has its few-shot examples from the data set itself, from which only a run draws "
                     "them: take a job with a file of examples")
        os.makedirs(folder, exist_ok=True)
        self.rows = results.cut(self.tree, self.keys, folder)
        self.limit, self.stops = self.keys["generation.max_new_tokens"], self.keys["generation.stop"]

    def budget(self):
        """Generated tokens that the search has spent."""
        if "consolidated" not in self.tree["final"]:
            sys.exit(f"gradients: the run's method {self.keys['method']} makes no model, so has no budget: give --budget")
        return int(self.tree["final"]["consolidated"]["search_tokens"])

    def score(self, split, model=None):
        """Greedy answers of a model (the base) by `coppice eval`: rewards, tokens, and what the gate goes by."""
        got, answers = results.evaluate_split(self, self.folder, split, ["--model", model] if model else [])
        return {"rewards": [row["reward"] for row in answers], "measure": [self._measure(row) for row in answers],
                "answers": len(answers), "tokens": got["generated_tokens"]}

    def _measure(self, row):
        """1 for a right answer, or its reward: what the run's own gate compares."""
        if self.tree.get("gate", {}).get("on") == "reward":
            return row["reward"]
        if self.keys["task.name"] != "exec":
            return float(row["correct"])
        right_at = self.keys["task.correct_at"]
        return float(row["reward"] >= (1 if right_at == "auto" else right_at))

    def questions(self):
        """Of each support example the token ids of its prompt, and what `coppice reward` needs beside a response."""
        _, answers = results.evaluate_split(self, self.folder, "support", ["--max-new-tokens", "1"])
        names = {field: name for name, field in self.keys["task.fields"].items()}
        found = []
        for row, answer in zip(self.rows["support"], answers):
            fields = {names.get(name, name): value for name, value in row.items()}
            found.append((answer["prompt_ids"], {**fields, "answer": answer["reference"]}))
        return found

    def rewards(self, lines):
        """Of each {"response", "answer", "prompt", ...} the reward, by `coppice reward`."""
        command = [results.COPPICE, "reward", "--task", self.keys["task.name"]]
        command += ["--timeout", str(self.keys["task.timeout"])] if self.keys["task.timeout"] else []
        command += ["--", *self.keys["task.command"]] if self.keys["task.command"] else []
        done = subprocess.run(command, input="".join(json.dumps(line) + "\n" for line in lines), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"gradients: {' '.join(command)}: {done.stderr.strip()}")
        return [json.loads(line)["reward"] for line in done.stdout.splitlines()]
