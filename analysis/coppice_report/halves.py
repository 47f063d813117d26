"""The pictures of the split-half analysis. Functions as in figures.py."""
import numpy as np

from .style import BLACK, BLUE, GREY, SERIES, figure

BAND = {"color": "0.85", "linewidth": 0}  # what chance does


def _typical_halving(scores, seed=1, tries=99):
    """Mean scores of each row on the halves of columns whose correlation is the median of those tried."""
    generator, half, found = np.random.default_rng(seed), scores.shape[1] // 2, []
    for _ in range(tries):
        order = generator.permutation(scores.shape[1])
        one, other = scores[:, order[:half]].mean(axis=1), scores[:, order[half:]].mean(axis=1)
        flat = one.std() == 0 or other.std() == 0
        found.append((0.0 if flat else float(np.corrcoef(one, other)[0, 1]), one, other))
    return sorted(found, key=lambda item: item[0])[tries // 2]


def reward_halves(run):
    """Rewards on one random half of the support examples against the other half, one dot a candidate: a cloud along
    the dashed diagonal is real, a round one is luck."""
    population = run.population()
    if population is None or population[2].shape[1] < 4 or run.array("population/left_after") is not None:
        return None  # who stayed in a race is no sample of the population
    scores = population[2][np.isfinite(population[2]).all(axis=1)]
    half, spread = scores.shape[1] // 2, np.random.default_rng(2)
    correlation, one, other = _typical_halving(scores)
    drawn, axes = figure(height=3.8)
    jitter = spread.normal(0, 0.15 / half, (2, len(one)))
    axes.plot(one + jitter[0], other + jitter[1], "o", markersize=3.5, color="0.25", alpha=0.55, markeredgewidth=0)
    low, high = min(one.min(), other.min()), max(one.max(), other.max())
    margin = 0.05 * (high - low) + 0.5 / half
    axes.plot([low, high], [low, high], "--", color=BLUE, linewidth=1)
    axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
    axes.set_xlabel(f"mean score on {half} support examples (reward)")
    axes.set_ylabel(f"mean score on the other {scores.shape[1] - half}\n(reward)")
    axes.set_title(f"A typical halving: correlation {correlation:.2f}")
    split = run.split_half()
    if split is not None:
        pearson, brown = split.agreement["reward_pearson"], split.agreement["reward_spearman_brown"]
        axes.text(1.05, 0.5, f"correlation of {split.halvings} halvings\n    median {pearson.median[0]:.2f}\n"
                  f"    95% of them {pearson.low[0]:.2f} .. {pearson.high[0]:.2f}\n    p {pearson.p[0]:.2g}\n\n"
                  f"of permuted scores\n    95% below {pearson.null_95[0]:.2f}\n\n"
                  f"reliability of the reward\non all {scores.shape[1]} examples\n    {brown.median[0]:.2f}",
                  transform=axes.transAxes, va="center", fontsize=9)
    return drawn


def _against_chance(axes, middle, errors, chance, limit):
    """Numbers 1, 2, ... with their intervals (None: none) over the band of chance, (low, high); filled above `limit`,
    as far as all before them are."""
    place = np.arange(1, len(middle) + 1)
    count = int(np.argmin(np.append(middle > limit, False)))
    axes.fill_between(place, *chance, label="permuted scores: mean to 95th percentile", **BAND)
    axes.plot(place, chance[1], "-", color=GREY, linewidth=1)
    if errors is not None:
        axes.errorbar(place, middle, yerr=errors, fmt="none", ecolor=BLACK, elinewidth=1, capsize=2)
    axes.plot(place[:count], middle[:count], "o", color=BLUE, markersize=5.5, label=f"above chance: {count}")
    axes.plot(place[count:], middle[count:], "o", color=BLUE, markersize=5.5, markerfacecolor="white",
              label="may be chance")
    axes.set_xticks(place if len(place) <= 16 else [1, *range(5, len(place) + 1, 5)])


def canonical_correlations(run):
    """Canonical correlations of the two halves' leading subspaces, median and 95% interval over halvings: filled dots are
    dimensions that come back in the other half, beyond the dashes, the largest correlation that chance makes."""
    split = run.split_half()
    if split is None:
        return None
    found = split.agreement["canonical_correlation"]
    limit = found.null_95[0]
    drawn, axes = figure(height=3.2)
    _against_chance(axes, found.median, [found.median - found.low, found.high - found.median],
                    (found.null_mean, found.null_95), limit)
    axes.axhline(limit, color=BLACK, linestyle="--", linewidth=1, label="95th percentile of chance's largest")
    axes.legend(fontsize=8)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("dimension (1: the two halves agree best)")
    axes.set_ylabel("canonical correlation\n(1: same direction in both halves)")
    axes.set_title(f"Reproducible rank {split.rank}: median and 95% interval of {split.halvings} halvings")
    return drawn


def spectrum(run):
    """Spectrum of the centred scores against that of permuted scores (parallel analysis): filled dots are dimensions
    with more variance than chance gives that place."""
    split = run.split_half()
    if split is None or not split.eigenvalue.sum() > 0:
        return None
    shown, share = slice(0, 30), 100 / split.eigenvalue.sum()
    drawn, axes = figure(height=3.2)
    _against_chance(axes, share * split.eigenvalue[shown], None,
                    (share * split.null_mean[shown], share * split.null_95[shown]), share * split.null_95[shown])
    axes.legend(fontsize=8)
    axes.set_ylim(0)
    axes.set_xlabel(f"dimension (of {len(split.eigenvalue)}, largest first)")
    axes.set_ylabel("share of the variance of scores (%)")
    axes.set_title(f"Parallel analysis: rank {split.parallel_rank}; effective rank {split.effective_rank:.1f}, "
                   f"participation ratio {split.participation_ratio:.1f}")
    return drawn


def directions(run):
    """Cosine of the merged directions that the two halves give, by q and beta, median and 95% interval over halvings:
    where it falls to chance, a merge follows a few lucky candidates."""
    split = run.split_half()
    if split is None:
        return None
    found, betas = split.agreement["direction_cosine"], sorted(set(split.beta.tolist()))
    every = sorted(set(split.q.tolist()))
    quantiles = every[:len(SERIES)]
    drawn, axes = figure(height=3.5)
    chance = [max(found.null_95[split.beta == beta]) for beta in betas]
    axes.fill_between(range(len(betas)), 0, chance, label="permuted scores, up to the 95th percentile", **BAND)
    for place, (q, (colour, marker, line)) in enumerate(zip(quantiles, SERIES)):
        chosen = np.flatnonzero(split.q == q)
        chosen = chosen[np.argsort(split.beta[chosen])]
        where = np.arange(len(chosen)) + 0.12 * (place - (len(quantiles) - 1) / 2)
        axes.errorbar(where, found.median[chosen], yerr=[found.median[chosen] - found.low[chosen],
                                                         found.high[chosen] - found.median[chosen]],
                      color=colour, marker=marker, linestyle=line, markersize=5, linewidth=1.2, elinewidth=0.8, capsize=2,
                      label=f"q {q:g}")
    axes.set_xticks(range(len(betas)), [f"{beta:g}" for beta in betas])
    axes.set_xlabel("beta (inverse temperature, 1/reward)")
    axes.set_ylabel("cosine of the halves' directions\n(without the plain mean)")
    axes.set_title(f"Agreement of merged directions over {split.halvings} halvings"
                   + (f"; the {len(quantiles)} smallest of {len(every)} q" if len(every) > len(quantiles) else ""))
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.45, -0.19), ncols=4)
    return drawn
