#!/usr/bin/env python3
"""Makes split_half.json: the split-half analysis in numpy, written from its definition in
include/coppice/search/split_half.h, for the unit test to compare with.

  python3 tests/data/split_half.py > tests/data/split_half.json
"""
import json

import numpy as np

HALVINGS_STREAM, PERMUTATIONS_STREAM = 6, 7
MASK = 0xFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 (Salmon et al., 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & MASK, (a >> 32) ^ c[3] ^ k[1], a & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def words(seed, stream, domain, block):
    while True:
        yield from philox((block & MASK, block >> 32, domain, stream), (seed & MASK, seed >> 32))
        block += 1


def shuffle(items, begin, end, source):
    for i in range(end - 1, begin, -1):
        j = begin + (next(source) * (i - begin + 1) >> 32)
        items[i], items[j] = items[j], items[i]


def halving(seed, examples, h):
    order = list(range(examples))
    shuffle(order, 0, examples, words(seed, HALVINGS_STREAM, 0, h * ((examples + 3) // 4)))
    first = examples // 2
    return sorted(order[:first]), sorted(order[first:])


def permuted(scores, groups, seed, index):
    n = len(scores)
    slots = sorted(range(n), key=lambda i: (groups[i], i))
    out = np.empty_like(scores)
    for m in range(scores.shape[1]):
        order, begin = list(slots), 0
        source = words(seed, PERMUTATIONS_STREAM, index, m * ((n + 3) // 4))
        for end in range(1, n + 1):
            if end == n or groups[slots[end]] != groups[slots[begin]]:
                shuffle(order, begin, end, source)
                begin = end
        out[slots, m] = scores[order, m]
    return out


def pearson(a, b):
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def ranks(a):
    return np.array([(a < x).sum() + ((a == x).sum() + 1) / 2 for x in a])


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def standard(x):
    return np.zeros_like(x) if x.std() <= 1e-12 * np.abs(x).max() else (x - x.mean()) / x.std()


def merge(sigma, reward, q, beta):
    elite = np.flatnonzero(reward >= np.quantile(reward, q))
    if len(elite) == 0:
        elite = np.array([reward.argmax()])
    r, s = reward[elite], sigma[elite]
    provisional = softmax(beta * r) * s
    alignment = provisional / np.linalg.norm(provisional)
    dispersion = np.maximum(0, s**2 - (s * alignment) ** 2)
    weight = softmax(beta * r + standard(alignment) - standard(dispersion))
    direction = np.zeros(len(sigma))
    direction[elite] = weight * s
    return direction / np.linalg.norm(direction)


def cosine(a, b, sigma):
    plain = sigma / np.linalg.norm(sigma)
    a, b = a - a @ plain * plain, b - b @ plain * plain
    size = np.linalg.norm(a), np.linalg.norm(b)
    return 0.0 if min(size) <= 1e-9 else float(a @ b / size[0] / size[1])


def left(d, k):
    u, s, _ = np.linalg.svd(d, full_matrices=False)
    return u[:, :k] * (s[:k] > 1e-5 * s[0])


def centred(scores):
    return scores - scores.mean(0) - scores.mean(1, keepdims=True) + scores.mean()


def halve(scores, sigma, half, q, beta):
    a, b = half
    ra, rb = scores[:, a].mean(1), scores[:, b].mean(1)
    rho = pearson(ra, rb)
    brown = 2 * rho / (1 + rho) if rho > -1 / 3 else -1.0
    cosines = [cosine(merge(sigma, ra, x, y), merge(sigma, rb, x, y), sigma) for x in q for y in beta]
    k = min(16, (len(scores) - 1) // 3, scores.shape[1] // 4)
    d = centred(scores)
    agreement = left(d[:, a], k).T @ left(d[:, b], k)
    overlap = [float((agreement[:i, :i] ** 2).sum() / i) for i in range(1, k + 1)]
    canonical = np.linalg.svd(agreement, compute_uv=False).tolist()
    return [[rho], [pearson(ranks(ra), ranks(rb))], [brown], cosines, overlap, canonical]


def summary(observed, null):
    """observed [R], null [P, H]."""
    first = np.median(observed[: null.shape[1]])
    medians = np.median(null, axis=1)
    spread = medians.std()
    return {"median": np.median(observed), "low": np.quantile(observed, 0.025),
            "high": np.quantile(observed, 0.975), "null_mean": null.mean(),
            "null_95": np.quantile(null, 0.95),
            "z": (first - medians.mean()) / spread if spread > 1e-12 else 0.0,
            "p": (1 + (medians >= first - 1e-12).sum()) / (1 + len(medians))}


NAMES = ["reward_pearson", "reward_spearman", "reward_spearman_brown", "direction_cosine",
         "subspace_overlap", "canonical_correlation"]


def analyse(case):
    scores = np.array(case["scores"], dtype=np.float64)
    sigma, seed = np.array(case["sigma"]), case["seed"]
    groups = case["group"] or [0] * len(scores)
    halves = [halving(seed, scores.shape[1], h) for h in range(case["halvings"])]
    first = halves[:5]
    data = [permuted(scores, groups, seed, i) for i in range(case["permutations"])]
    observed = [halve(scores, sigma, h, case["q"], case["beta"]) for h in halves]
    null = [[halve(x, sigma, h, case["q"], case["beta"]) for h in first] for x in data]
    for s, name in enumerate(NAMES):
        columns = len(observed[0][s])
        rows = [summary(np.array([o[s][c] for o in observed]),
                        np.array([[h[s][c] for h in p] for p in null])) for c in range(columns)]
        case[name] = {key: [float(row[key]) for row in rows] for key in rows[0]}
    high = case["canonical_correlation"]["null_95"][0]
    above = [x > high for x in case["canonical_correlation"]["median"]] + [False]
    case["reproducible_rank"] = above.index(False)
    spectrum = np.linalg.svd(centred(scores), compute_uv=False) ** 2
    chance = np.array([np.linalg.svd(centred(x), compute_uv=False) ** 2 for x in data])
    case["eigenvalue"] = spectrum.tolist()
    case["spectrum_mean"] = chance.mean(0).tolist()
    case["spectrum_95"] = np.quantile(chance, 0.95, axis=0).tolist()
    case["parallel_rank"] = (spectrum > np.array(case["spectrum_95"])).tolist().index(False)
    share = spectrum[spectrum > 1e-10 * spectrum[0]] / spectrum.sum()
    case["effective_rank"] = float(np.exp(-(share * np.log(share)).sum()))
    case["participation_ratio"] = float(1 / (share**2).sum())
    return case


def cases():
    draw = np.random.default_rng(20)
    for n, m, dimensions, binary, grouped in [(24, 18, 1, False, False), (14, 21, 2, True, False),
                                              (9, 40, 2, False, False), (30, 16, 0, False, True)]:
        signal = draw.normal(size=(n, dimensions)) @ draw.normal(size=(dimensions, m))
        scores = signal + draw.normal(size=(n, m)) + 0.5 * draw.normal(size=(n, 1))
        scores = (scores > 0.3).astype(float) if binary else np.float32(scores).astype(float)
        sigma = draw.choice([0.001, 0.002], size=n)
        yield {"scores": scores.tolist(), "sigma": sigma.tolist(),
               "group": [int(s * 1000) for s in sigma] if grouped else None, "seed": 7 + 2**40 + n,
               "halvings": 9, "permutations": 12, "q": [0.5, 0.8], "beta": [1.0, 20.0]}


print(json.dumps({"made_by": "tests/data/split_half.py", "cases": [analyse(c) for c in cases()]}))
