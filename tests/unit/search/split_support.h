/* Populations for the tests of the split-half analysis. */
#ifndef COP_TEST_SPLIT_SUPPORT_H
#define COP_TEST_SPLIT_SUPPORT_H

#include "coppice/noise/noise.h"
#include "coppice/search/split_half.h"

#include <math.h>
#include <stdlib.h>

/* Scores and sigmas; free with population_free(). */
typedef struct population {
    size_t candidates, examples;
    float *scores; /* [candidates, examples] */
    double *sigma; /* [candidates] */
} population;

/* Number `i` of a draw's Gaussian numbers; `what` tells factors and noise apart. */
static inline double split_gaussian(uint64_t draw, uint32_t what, uint64_t i)
{
    return (double)cop_noise_stream_at(draw, COP_STREAM_CLOUD, what, i);
}

/* `dimensions` pairs of Gaussian factors of equal strength in unit Gaussian noise. Their sum
 * has `ratio` times the noise's standard deviation. */
static inline population split_plant(uint64_t draw, size_t candidates, size_t examples,
                                     size_t dimensions, double ratio)
{
    population p = {.candidates = candidates, .examples = examples};
    p.scores = calloc(candidates * examples, sizeof *p.scores);
    p.sigma = calloc(candidates, sizeof *p.sigma);
    assert_non_null(p.scores);
    assert_non_null(p.sigma);
    const double strength = dimensions == 0 ? 0.0 : ratio / sqrt((double)dimensions);
    for (size_t i = 0; i < candidates; i++) {
        p.sigma[i] = i % 2 == 0 ? 0.001 : 0.002;
        for (size_t m = 0; m < examples; m++) {
            double score = split_gaussian(draw, 0, i * examples + m);
            for (size_t k = 0; k < dimensions; k++)
                score += strength * split_gaussian(draw, 1, i * dimensions + k) *
                         split_gaussian(draw, 2, m * dimensions + k);
            p.scores[i * examples + m] = (float)score;
        }
    }
    return p;
}

static inline void population_free(population *p)
{
    free(p->scores);
    free(p->sigma);
}

static inline cop_split_input split_input(const population *p)
{
    return (cop_split_input){.scores = p->scores,
                             .sigma = p->sigma,
                             .count = p->candidates,
                             .examples = p->examples};
}

#endif
