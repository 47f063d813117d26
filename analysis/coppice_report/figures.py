"""The pictures of one run. Each function takes a Run and gives a figure, or None where the run has
nothing to show yet; its first line of documentation is the caption."""
import numpy as np

from . import halves
from .reading import TAKEN_OVER
from .style import BLACK, BLUE, GREY, ORANGE, SERIES, figure


def rewards_by_sigma(run):
    """Mean score of every candidate on the support examples by its sigma; bars are means, dashes the base. Candidates
    that left a race have none, and where some did no mean is drawn: it would be that of the best."""
    population = run.population()
    if population is None:
        return None
    sigma, reward, scores = population
    values, spread, left = np.unique(sigma), np.random.default_rng(0), np.isnan(reward)
    drawn, axes = figure()
    for place, value in enumerate(values):
        chosen = reward[(sigma == value) & ~left]
        axes.plot(place + spread.uniform(-0.28, 0.28, len(chosen)), chosen, "o", markersize=3.5, color="0.35",
                  alpha=0.6, markeredgewidth=0)
        if not left.any():
            axes.plot([place - 0.38, place + 0.38], [chosen.mean()] * 2, "-", color=BLACK, linewidth=2)
    base = run.base_support()
    axes.axhline(base, color=BLUE, linestyle="--", linewidth=1.5)
    axes.annotate(f"base {base:.3f}", (1, base), xycoords=("axes fraction", "data"), color=BLUE, va="bottom", ha="right")
    axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    axes.set_xlim(-0.6, len(values) - 0.4)
    unit = {"rms": "share of each tensor's RMS", "spectral": "norm of each tensor's noise",
            "modular": "norm of the model's noise"}.get(run.key("population.scaling"), "weight units")
    axes.set_xlabel(f"sigma of the perturbation ({unit})")
    axes.set_ylabel(f"mean score (reward)\non {scores.shape[1]} support examples")
    axes.set_title(f"Population of {len(reward)} candidates" + (f", {left.sum()} left a race" if left.any() else ""))
    return drawn


def _heat(axes, grid, steps, labels, best, low, high):
    picture = axes.imshow(grid, aspect="auto", interpolation="nearest", vmin=low, vmax=high)
    axes.set_xticks(range(len(steps)), [f"{step:g}" for step in steps])
    axes.set_yticks(range(len(labels)), labels)
    axes.grid(False)
    if len(labels) * len(steps) <= 240:
        for (y, x), value in np.ndenumerate(grid):
            if np.isfinite(value):
                dark = value < low + 0.55 * (high - low)
                axes.text(x, y, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=6.5,
                          color="white" if dark else "black", fontweight="bold" if (y, x) == best else "normal")
    if best is not None:
        axes.plot([best[1]], [best[0]], "s", markersize=15, markerfacecolor="none", markeredgecolor=ORANGE,
                  markeredgewidth=2)
    return picture


def proposals(run):
    """Mean score of every proposal: a direction (q, beta or operator) each row, its steps from left to right;
    the square is the best. Of more than four phases with proposals the first four are drawn."""
    groups = [(path, columns, means) for path, columns, means in run.proposals() if len(means) > 1]
    if not groups:
        return None
    most = 4
    grids = []
    for path, columns, means in groups[:most]:
        names = []
        for q, beta, source in zip(columns["q"], columns["beta"], columns["operator"]):
            names.append(f"q {q:g}, β {beta:g}" if np.isfinite(q) else str(source))
        rows = list(dict.fromkeys(names))
        steps = sorted(set(columns.get("scale", columns["step"]).tolist()))
        grid = np.full((len(rows), len(steps)), np.nan)
        for name, step, mean in zip(names, columns.get("scale", columns["step"]), means):
            grid[rows.index(name), steps.index(step)] = mean
        grids.append((path, rows, steps, grid))
    heights = [0.75 + 0.17 * len(rows) for _, rows, _, _ in grids]
    drawn, axes = figure(height=max(sum(heights), 1.7), rows=len(grids), squeeze=False,  # as much as the bar's label
                         gridspec_kw={"height_ratios": heights})
    low = min(np.nanmin(grid) for *_, grid in grids)
    high = max(np.nanmax(grid) for *_, grid in grids)
    for place, (path, rows, steps, grid) in enumerate(grids):
        best = tuple(int(k) for k in np.unravel_index(np.nanargmax(grid), grid.shape))
        picture = _heat(axes[place, 0], grid, steps, rows, best, low, high)
        axes[place, 0].tick_params(axis="y", labelsize=7)
        axes[place, 0].set_title(path)
        axes[place, 0].set_ylabel("direction")
    if len(groups) > most:
        axes[-1, 0].set_title(f"{grids[-1][0]} (the {most}th of {len(groups)} phases)")
    drawn.colorbar(picture, ax=axes[:, 0], label="mean score\n(reward)", fraction=0.03, pad=0.02)
    axes[-1, 0].set_xlabel("step (multiples of the direction's own length; in recentring of the current step)")
    return drawn


def gate(run):
    """Every gate decision: mean gain on the validate examples and the lower bound that decided. Filled dots
    were accepted; a bound above zero is not enough where broken answers outweigh repaired ones, or a guard is against
    it. Below a try that is a shorter step of what a guard refused stands its share of the proposal's own."""
    decisions = run.decisions()
    if not decisions:
        return None
    drawn, axes = figure(height=2.8)
    for place, decision in enumerate(decisions):
        accepted = decision["accepted"] == 1
        axes.plot([place, place], [decision["bound"], decision["mean"]], "-", linewidth=2,
                  color=BLUE if accepted else GREY)
        axes.plot([place - 0.15, place + 0.15], [decision["bound"]] * 2, "-", linewidth=2,
                  color=BLUE if accepted else GREY)
        axes.plot(place, decision["mean"], "o" if accepted else "x", markersize=7, color=BLUE if accepted else "0.4")
    axes.axhline(0, color=BLACK, linewidth=0.8)
    labels = [f"{int(d['round'])}.{int(d['try'])}" for d in decisions]
    for place, decision in enumerate(decisions):
        if decision.get("share", 1) < 1:
            labels[place] += f"\nx {decision['share']:.2g}"
    every = max(1, len(labels) // 24)
    axes.set_xticks(range(0, len(labels), every), labels[::every])
    axes.set_xlabel("round.try (round 0: stage 1, or es)")
    axes.set_ylabel(f"gain ({MEASURES[run.measure]}\non validate)")
    axes.set_title("Gate: mean gain (dot accepted, cross rejected), bar down to its lower bound")
    return drawn


def guards(run):
    """What each guard said of proposals that passed the gate: the mean's change from the base, and its lower bound.
    Filled dots were let pass; the line is what is allowed to be lost."""
    found = run.guards()
    if not found:
        return None
    drawn, every = figure(height=0.6 + 1.8 * len(found), rows=len(found), squeeze=False)
    for axes, (name, said) in zip(every[:, 0], found):
        for place, (_, change, bound, _, accepted) in enumerate(said):
            color = BLUE if accepted else GREY
            axes.plot([place, place], [bound, change], "-", linewidth=2, color=color)
            axes.plot([place - 0.15, place + 0.15], [bound] * 2, "-", linewidth=2, color=color)
            axes.plot(place, change, "o" if accepted else "x", markersize=7, color=color)
        axes.axhline(-said[0][3], color=BLACK, linewidth=0.8)
        axes.set_xticks(range(len(said)), [label for label, *_ in said])
        axes.set_ylabel("change")
        axes.set_title(name)
    every[-1, 0].set_xlabel("round.try")
    return drawn


MEASURES = {"accuracy": "share of right examples", "reward": "mean reward"}


def measure_of(runs):
    """What the runs were decided by; several are named side by side."""
    return " or ".join(MEASURES[name] for name in MEASURES if any(run.measure == name for run in runs))


def methods(run):
    """Share of right test examples (or the mean reward, where that decided) of every method with its 95% interval."""
    tested = run.methods()
    if not tested:
        return None
    drawn, axes = figure(height=0.9 + 0.32 * len(tested))
    for place, method in enumerate(reversed(tested)):
        axes.plot([method.low, method.high], [place, place], "-", color=BLACK, linewidth=2)
        axes.plot(method.value, place, "o", color=BLUE, markersize=6)
        axes.annotate(f"{method.value:.3f}", (method.value, place), textcoords="offset points", xytext=(0, 5),
                      ha="center", fontsize=8)
    axes.set_yticks(range(len(tested)), [method.name for method in reversed(tested)])
    axes.set_ylim(-0.6, len(tested) - 0.2)
    axes.axvline(tested[0].value, color=GREY, linestyle="--", linewidth=1)
    axes.set_xlabel(f"{MEASURES[run.measure]} on test, 95% interval")
    axes.set_title(f"{run.measure.capitalize()} by method; dashes: the base")
    return drawn


def course(run):
    """Mean score phase by phase: what was tried (grey, all rows of a phase) and the best row of each. Guards, whose scores
    are of another kind, have a picture of their own."""
    shown = []
    for phase in run.phases():
        if phase.path.startswith("gate/guard_"):
            continue
        scores = run.array(f"{phase.path}/scores")
        means = scores[~np.isnan(scores).any(axis=1)].mean(axis=1) if scores is not None else []
        if len(means):
            shown.append((phase.path, means))
    if len(shown) < 2:
        return None
    drawn, axes = figure(height=3.2)
    spread = np.random.default_rng(3)
    for place, (_, means) in enumerate(shown):
        axes.plot(place + spread.uniform(-0.3, 0.3, len(means)), means, ".", color="0.6", markersize=3, alpha=0.7)
        axes.plot(place, means.max(), "D", color=BLUE, markersize=4.5)
    every = max(1, len(shown) // 40)
    axes.set_xticks(range(0, len(shown), every), [path for path, _ in shown][::every], rotation=60, ha="right",
                    fontsize=7)
    axes.set_ylabel("mean score (reward)\non the phase's own examples")
    axes.set_xlabel("phase")
    axes.set_title("Course of the run: dots are rows, diamonds the best of a phase")
    return drawn


def cost(run):
    """Generated tokens of each part of the run, and answers that they made."""
    parts = {}
    for phase in run.phases():
        head = phase.path.split("/")[0]
        tokens, answers = parts.get(head, (0, 0))
        parts[head] = (tokens + phase.tokens, answers + phase.evaluations)
    if not parts:
        return None
    drawn, axes = figure(height=0.9 + 0.3 * len(parts))
    names = list(parts)[::-1]
    axes.barh(range(len(names)), [parts[name][0] for name in names], color="0.75", edgecolor=BLACK, linewidth=0.6)
    for place, name in enumerate(names):
        axes.annotate(f" {parts[name][0]:,} tokens, {parts[name][1]:,} answers", (parts[name][0], place), va="center",
                      fontsize=8)
    axes.set_xlim(0, max(value[0] for value in parts.values()) * 1.5 + 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.locator_params(axis="x", nbins=5)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("generated tokens")
    axes.set_title("Cost by part")
    return drawn


def ranks(run):
    """Time that each rank spent on evaluations: equal bars mean that nobody waited."""
    busy = run.ranks()
    if len(busy) < 2:
        return None
    drawn, axes = figure(height=2.4)
    axes.bar(range(len(busy)), list(busy.values()), color="0.75", edgecolor=BLACK, linewidth=0.6)
    every = max(1, len(busy) // 24)
    axes.set_xticks(range(0, len(busy), every), [str(rank) for rank in busy][::every])
    axes.set_xlabel("rank")
    axes.set_ylabel("busy (s)")
    axes.set_title(f"Work by rank: the least is {min(busy.values()) / max(busy.values()):.0%} of the most")
    return drawn


ONE_RUN = [methods, course, rewards_by_sigma, halves.reward_halves, halves.canonical_correlations, halves.spectrum,
           halves.directions, proposals, gate, guards, cost, ranks]


def compare_accuracy(runs):
    """Test accuracy of the base and of the result of each run, with 95% intervals."""
    ended = [(run, run.result()) for run in runs]
    rows = [(run, (run.methods()[0], result)) for run, result in ended if result is not None]
    if len(rows) < 2:
        return None
    drawn, axes = figure(height=1.0 + 0.34 * len(rows))
    for place, (run, tested) in enumerate(reversed(rows)):
        for which, (method, (colour, marker, _)) in enumerate(zip(tested, SERIES)):
            height = place + 0.12 - 0.24 * which
            axes.plot([method.low, method.high], [height] * 2, "-", color=colour, linewidth=1.8)
            axes.plot(method.value, height, marker, color=colour, markersize=5.5,
                      label=("base" if which == 0 else "result") if place == 0 else None)
    axes.set_yticks(range(len(rows)), [run.title for run, _ in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(f"{measure_of(runs)} on test, 95% interval")
    axes.set_title("Runs compared")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=2)
    return drawn


def compare_cost(runs):
    """Gain on test by tokens that the whole run generated: up and left is better."""
    points = []
    for run in runs:
        result, tokens = run.result(), sum(phase.tokens for phase in run.phases())
        if result is not None and tokens > 0:
            points.append((run.title, tokens, result))
    if len(points) < 2:
        return None
    drawn, axes = figure(height=3.0)
    for place, (title, tokens, method) in enumerate(points):
        colour, marker, _ = SERIES[place % len(SERIES)]
        axes.plot([tokens] * 2, [method.gain_low, method.gain_high], "-", color=colour, linewidth=1.2)
        # Legends leave out names that begin with an underscore.
        axes.plot(tokens, method.gain, marker, color=colour, label=f" {title}")
    axes.set_xlim(0, 1.08 * max(tokens for _, tokens, _ in points))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("generated tokens of the whole run")
    axes.set_ylabel(f"gain over the base on test\n({measure_of(runs)})")
    axes.set_title("Gain per compute, with 95% intervals")
    axes.legend(fontsize=7, ncols=2)
    return drawn


def scaling(runs):
    """Candidates per second in the population phase by workers, for runs that differ in their number."""
    points = {}
    for run in runs:
        population, seconds = run.population(), run.array("population/seconds")
        workers = len(set(np.ravel(run.array("population/rank"))) - {-1}) if seconds is not None else 0
        if population is None or workers == 0 or seconds.sum() <= 0:
            continue
        own = (run.array("population/status") != TAKEN_OVER).any(axis=1).sum()  # others were scored in another phase
        # Busy seconds over workers: the time that the phase took where nobody waited.
        rate = own / (float(seconds.sum()) / workers)
        points.setdefault(workers, []).append(rate)
    if len(points) < 2:
        return None
    drawn, axes = figure(height=2.8)
    workers = sorted(points)
    means = [np.mean(points[count]) for count in workers]
    axes.plot(workers, means, "o-", color=BLUE, label="measured")
    axes.plot(workers, [means[0] / workers[0] * count for count in workers], "--", color=GREY, label="in proportion")
    axes.set_xticks(workers)
    axes.set_xlabel("worker ranks")
    axes.set_ylabel("candidates per second")
    axes.set_title("Scaling of the population phase")
    axes.legend()
    return drawn


MANY_RUNS = [compare_accuracy, compare_cost, scaling]
