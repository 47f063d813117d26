"""The course of a training: what it may spend, which checkpoint is taken, and whether it is better than the base.

The search spends its tokens on support, probe and validate alike, and so does this: rollouts, checkpoints on probe and
the gate on validate are all of one budget, which is never exceeded. No PyTorch here."""
import math
import os
import shutil
import statistics
import time


class Budget:
    """Generated tokens, stop tokens not counted, as the program counts them."""

    def __init__(self, total):
        self.total, self.tokens, self.answers = total, 0, 0

    def fits(self, tokens):
        return self.tokens + tokens <= self.total

    def spend(self, tokens, answers):
        self.tokens += tokens
        self.answers += answers


def passes(after, before, z):
    """The search's gate with one try: is the mean gain more than z standard errors above zero?"""
    gains = [a - b for a, b in zip(after, before)]
    mean, sd = statistics.fmean(gains), statistics.stdev(gains)
    bound = mean - z * sd / math.sqrt(len(gains))
    return {"mean": mean, "sd": sd, "z": z, "bound": bound, "accepted": bound > 0}


class Course:
    """`task` scores the splits; the best checkpoint on probe lies in `folder`/model."""

    def __init__(self, task, total, checkpoints, folder, batch):
        self.task, self.budget, self.folder = task, Budget(total), folder
        self.most = {split: task.limit * len(task.rows[split]) for split in ("probe", "validate")}
        self.step_most = task.limit * batch
        self.model, self.best, self.curve = os.path.join(folder, "model"), -math.inf, []
        self.steps, self.scored, self.start = 0, 0, time.monotonic()
        self.base = self._score("validate")
        left = total - self.budget.tokens
        self.marks = [total - left * i / checkpoints for i in reversed(range(checkpoints))]

    def _score(self, split, model=None):
        got = self.task.score(split, model)
        self.budget.spend(got["tokens"], got["answers"])
        return got

    def may_step(self):
        """Another step, the last checkpoint and the gate fit, however long their answers."""
        return self.budget.fits(self.step_most + self.most["probe"] + self.most["validate"])

    def need(self):
        """Tokens without which there is not one step."""
        return self.budget.tokens + self.step_most + self.most["probe"] + self.most["validate"]

    def took(self, tokens, rewards):
        """After a step's rollouts."""
        self.steps += 1
        self.budget.spend(tokens, len(rewards))
        self.curve.append([self.steps, self.budget.tokens, statistics.fmean(rewards)])
        print(f"step {self.steps}: reward {self.curve[-1][2]:.3f}, {tokens / len(rewards):.1f} tokens an answer, "
              f"{self.budget.tokens} of {self.budget.total} tokens, {time.monotonic() - self.start:.0f} s", flush=True)

    def stepped(self, export):
        """After a step: a checkpoint where one is due. `export(folder)` writes the model."""
        if self.marks and self.budget.tokens >= self.marks[0] and self.may_step():
            if self.budget.fits(2 * self.most["probe"] + self.most["validate"]):
                self._checkpoint(export)

    def _checkpoint(self, export):
        self.marks = [mark for mark in self.marks if mark > self.budget.tokens]
        now = os.path.join(self.folder, "now")
        shutil.rmtree(now, ignore_errors=True)
        export(now)
        accuracy = statistics.fmean(self._score("probe", now)["measure"])
        self.scored = self.steps
        print(f"step {self.steps}: probe {accuracy:.3f}", flush=True)
        if accuracy >= self.best:  # of equals the one that was trained longer
            self.best = accuracy
            shutil.rmtree(self.model, ignore_errors=True)
            os.rename(now, self.model)
        shutil.rmtree(now, ignore_errors=True)

    def finish(self, export, z):
        """The last checkpoint, and the gate: the best on probe against the base on validate."""
        if self.scored < self.steps:
            self._checkpoint(export)
        return passes(self._score("validate", self.model)["measure"], self.base["measure"], z)
