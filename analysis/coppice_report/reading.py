"""A run file, read once: what figures and tables ask for, and nothing of how it lies in HDF5."""
import os
import re
from dataclasses import dataclass, field

import h5py
import numpy as np


def tell_apart(paths):
    """A title for each path: its folder's name, with as many folders before it as tell equal names apart. Bytes
    that are no UTF-8 are replaced, which newer versions of matplotlib refuse to draw."""
    parts = [os.path.abspath(os.path.dirname(path) if os.path.basename(path) == "run.h5" else path).strip("/").split("/")
             for path in paths]
    depth = [1] * len(parts)
    while True:
        titles = ["/".join(part[-n:]) for part, n in zip(parts, depth)]
        longer = [n + (titles.count(title) > 1 and n < len(part)) for part, n, title in zip(parts, depth, titles)]
        if longer == depth:
            return [title.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for title in titles]
        depth = longer


class NotARun(Exception):
    """The file cannot be read, or holds no run; the message says which and what to do."""


@dataclass
class Phase:
    path: str        # group in the run file
    rows: int        # recipes
    examples: int    # for each
    evaluations: int  # answers that were generated and scored
    tokens: int
    seconds: float   # of the ranks that computed it, added up
    accuracy: float  # mean score of what was scored


@dataclass
class Method:
    name: str
    value: float  # share of right answers or mean reward: Run.measure
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    path: str = ""
    extra: dict = field(default_factory=dict)


@dataclass
class Agreement:
    """A statistic of the split-half analysis: arrays with one element for each of its numbers."""
    median: np.ndarray
    low: np.ndarray   # 2.5 and 97.5 percent over halvings
    high: np.ndarray
    null_mean: np.ndarray
    null_95: np.ndarray
    p: np.ndarray


@dataclass
class SplitHalf:
    halvings: int
    permutations: int
    rank: int            # reproducible
    parallel_rank: int
    effective_rank: float
    participation_ratio: float
    q: np.ndarray        # of each direction
    beta: np.ndarray
    agreement: dict      # Agreement by name: "reward_pearson", ...
    eigenvalue: np.ndarray
    null_mean: np.ndarray  # of the eigenvalues
    null_95: np.ndarray


# Groups in the order of a run.
PARTS = ["base", "screen", "population", "stage1", "rounds", "es", "recenter", "gate", "baselines", "final"]


# Of a unit whose scores, tokens and seconds stand in other groups.
TAKEN_OVER = 4


def place(path):
    """Sorts paths of groups: by part, then by the numbers in them."""
    head = path.split("/")[0]
    numbers = [int(part) for part in path.replace("/", "_").split("_") if part.isdigit()]
    return (PARTS.index(head) if head in PARTS else len(PARTS), numbers, path)


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


ESCAPED = re.compile(r"\\(x[0-9A-F]{2}|u[0-9A-F]{4}|U00(?:0[0-9A-F]|10)[0-9A-F]{4}|.)")


def unquote(value):
    """A text as it was before the double quotes of YAML; others as they are."""
    if len(value) < 2 or not value[0] == value[-1] == '"':
        return value
    return ESCAPED.sub(lambda found: chr(int(found[1][1:], 16)) if len(found[1]) > 1 else
                       {"n": "\n", "t": "\t", "r": "\r"}.get(found[1], found[1]), value[1:-1])


def scalar(group, name, default=float("nan")):
    found = group.get(name)
    if found is None or found.shape != ():
        return default
    value = found[()]
    return text(value) if isinstance(value, (bytes, str)) else float(value)


class Run:
    """One run file. Parts that the run has not reached are None or empty."""

    def __init__(self, path):
        self.path = os.path.join(path, "run.h5") if os.path.isdir(path) else path
        try:
            self.file = h5py.File(self.path, "r")
        except OSError as problem:
            raise NotARun(f"{self.path}: cannot be read as a run file ({problem})") from problem
        if "job" not in self.file:
            self.file.close()
            raise NotARun(f"{self.path}: an HDF5 file, but not of a run: it has no group /job")
        self.title = os.path.basename(os.path.dirname(os.path.abspath(self.path))) or self.path

    def close(self):
        self.file.close()

    @property
    def measure(self):
        """What the gate and so the table of methods is about: "accuracy" or "reward"."""
        found = self.file.get("gate/on")
        return "reward" if found is not None and text(found[()]) == "reward" else "accuracy"

    def key(self, name, default=""):
        """A key of the job as it was printed, a text as it is."""
        found = self.file.get(f"job/keys/{name}")
        return default if found is None else unquote(text(found[()]))

    def fact(self, name, default=""):
        found = self.file.get(f"job/{name}")
        return default if found is None else text(found[()])

    def array(self, path):
        found = self.file.get(path)
        return None if found is None or found.shape == () else found[:]

    def phases(self):
        """All groups with scores, in the order of the method."""
        found = []

        def visit(path, node):
            if isinstance(node, h5py.Group) and "scores" in node and "status" in node:
                found.append(self._phase(path, node))
        self.file.visititems(visit)
        return sorted(found, key=lambda phase: place(phase.path))

    @staticmethod
    def _phase(path, node):
        scores, status = node["scores"][:], node["status"][:]
        known = ~np.isnan(scores)
        taken = (status == TAKEN_OVER).all(axis=1)  # these answers are counted where they were generated
        return Phase(path=path, rows=scores.shape[0], examples=scores.shape[1], evaluations=int(known[~taken].sum()),
                     tokens=int(node["tokens"][:].sum()) if "tokens" in node else 0,
                     seconds=float(node["seconds"][:][status > 0].sum()) if "seconds" in node else 0.0,
                     accuracy=float(scores[known].mean()) if known.any() else float("nan"))

    def population(self):
        """(sigma, reward, scores) of the candidates, or None before they are scored."""
        sigma, reward, scores = (self.array(f"population/{name}") for name in ("sigma", "reward", "scores"))
        return None if sigma is None or reward is None else (sigma, reward, scores)

    def base_support(self):
        """Mean score of the base on the support examples, as they were when the population was scored."""
        replaced = self.file.get("screen/base_reward")
        if replaced is not None:
            return float(replaced[()])
        scores, population = self.array("base/scores"), self.array("population/scores")
        if scores is None or population is None:
            return float("nan")
        return float(scores[0, :population.shape[1]].mean())

    def screen(self):
        """Support examples that told no candidates apart: a dictionary, or None where nobody looked."""
        group = self.file.get("screen")
        if group is None or "judges" not in group:
            return None
        found = {name: scalar(group, name) for name in group if isinstance(group[name], h5py.Dataset) and group[name].shape == ()}
        found["replaced"] = len(group["replaced"]) if "replaced" in group else 0
        found["support"] = group["population/scores"].shape[1]
        return found

    def split_half(self):
        """The split-half analysis, or None where the run has none."""
        group = self.file.get("split_half")
        if group is None or "reproducible_rank" not in group:
            return None
        parts = list(Agreement.__dataclass_fields__)
        agreement = {name: Agreement(*(node[part][:] for part in parts)) for name, node in group.items()
                     if isinstance(node, h5py.Group) and all(part in node for part in parts)}
        spectrum = group["spectrum"]
        return SplitHalf(*(int(group[name][()]) for name in ("halvings", "permutations", "reproducible_rank",
                                                             "parallel_rank")),
                         *(float(group[name][()]) for name in ("effective_rank", "participation_ratio")),
                         group["q"][:], group["beta"][:], agreement,
                         *(spectrum[name][:] for name in ("eigenvalue", "null_mean", "null_95")))

    def decisions(self):
        """The gate's decisions in order, each a dictionary."""
        group = self.file.get("gate/decisions")
        if group is None:
            return []
        return [{key: scalar(group[name], key) for key, item in group[name].items() if isinstance(item, h5py.Dataset)}
                for name in sorted(group, key=int)]

    def guards(self):
        """What guards said: for each a name and, for every decision that they were asked about, its label with change,
        bound, loss and whether it was let pass."""
        found = {}
        for name, decision in sorted(self.file.get("gate/decisions", {}).items(), key=lambda item: int(item[0])):
            for key in sorted((key for key in decision if key.startswith("guard_")), key=lambda key: int(key[6:])):
                task = text(self.file[f"gate/{key}/task"][()])
                label = f"{int(scalar(decision, 'round'))}.{int(scalar(decision, 'try'))}"
                numbers = [float(scalar(decision[key], each)) for each in ("change", "bound", "loss", "accepted")]
                found.setdefault(f"guard {key[6:]}, {task}", []).append((label, *numbers))
        return list(found.items())

    def proposals(self):
        """Groups with proposals: (path, columns, mean score of each on its examples; NaN: it left a race)."""
        found = []

        def visit(path, node):
            if isinstance(node, h5py.Group) and all(name in node for name in ("q", "beta", "step", "scores")):
                columns = {name: node[name][:] for name in ("q", "beta", "step", "scale") if name in node}
                count = len(columns["q"])
                names = [text(value) for value in node["operator"][:]] if "operator" in node else ["two-pass"] * count
                columns["operator"] = np.array(names)
                means = node["scores"][:].mean(axis=1)
                if len(means) == count:
                    found.append((path, columns, means))
        self.file.visititems(visit)
        return sorted(found, key=lambda item: place(item[0]))

    def races(self):
        """Groups whose rows raced: (path, left_after of each, answers generated, answers without the race)."""
        found = []

        def visit(path, node):
            if isinstance(node, h5py.Group) and "left_after" in node and "scores" in node:
                scores = node["scores"][:]
                found.append((path, node["left_after"][:], int((~np.isnan(scores)).sum()), scores.size))
        self.file.visititems(visit)
        return sorted(found, key=lambda item: place(item[0]))

    def budget(self):
        """What a search with a budget spent, {} without one, and its steps: (phase, what is counted, wanted, made, room)."""
        group = self.file.get("budget")
        if group is None or "spent_answers" not in group:
            return {}, []
        spent = {}
        for of in ("answers", "tokens"):
            limit = text(self.file[f"job/keys/budget.{of}"][()])
            spent[of] = (int(group[f"spent_{of}"][()]), int(limit) if limit.isdigit() else None)
        columns = [group[name][:] for name in ("step", "of", "wanted", "made", "left")] if "step" in group else [[]] * 5
        return spent, [(text(step), text(of), int(wanted), int(made), int(left)) for step, of, wanted, made, left in zip(*columns)]

    def methods(self):
        """What was tested, base first."""
        found = []

        def visit(path, node):
            if isinstance(node, h5py.Group) and "accuracy" in node and "accuracy_low" in node:
                extra = {key: scalar(node, key) for key in node
                         if isinstance(node[key], h5py.Dataset) and node[key].shape == ()}
                shown = self.measure
                found.append((path, Method(name=path, path=path, value=extra[shown], low=extra[shown + "_low"],
                                           high=extra[shown + "_high"], gain=extra.get("gain", float("nan")),
                                           gain_low=extra.get("gain_low", float("nan")),
                                           gain_high=extra.get("gain_high", float("nan")), extra=extra)))
        self.file.visititems(visit)
        order = [text(path).strip("/") for path in self.file["final/methods"][:]] if found else []
        found.sort(key=lambda item: order.index(item[0]))
        for path, method in found:
            method.name = text(self.file[path]["title"][()])
        return [method for _, method in found]

    def result(self):
        """The method that the run ended with: the consolidated model, or RandOpt's best candidate where there is none;
        None where that was not tested."""
        by_path = {method.path: method for method in self.methods()}
        return by_path.get("final/consolidated", by_path.get("baselines/randopt_k1"))

    def ranks(self):
        """{rank: seconds it computed} over all phases."""
        busy = {}

        def visit(_path, node):
            if isinstance(node, h5py.Group) and "rank" in node and "seconds" in node and "status" in node:
                done = np.isin(node["status"][:], (1, 2))  # 3: never computed, its row left a race; 4: elsewhere
                for rank, seconds in zip(node["rank"][:][done], node["seconds"][:][done]):
                    busy[int(rank)] = busy.get(int(rank), 0.0) + float(seconds)
        self.file.visititems(visit)
        return dict(sorted(busy.items()))
