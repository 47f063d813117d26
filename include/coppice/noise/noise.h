/** \file noise.h
 * The noise, version 1: noise(seed, tensor, i) -> binary32, a pure function with the same 32
 * bits on every processor, thread count, rank count and tiling.
 *
 * Philox4x32-10 (Salmon et al., SC11) with key (seed low, seed high) and counter
 * (b low, b high, tensor, 0), b = i / 4; its words w0..w3 give elements 4b..4b+3. The last
 * counter word is the stream id, see ::cop_noise_stream. Box-Muller on (w0, w1) and (w2, w3):
 * radius sqrt(-2 ln u), u = (x + 0.5) / 2^32 rounded to binary32; angle 2 pi y / 2^32 from the
 * bits of y; first element radius * cos, second radius * sin. Logarithm, sine and cosine are
 * fixed sequences of binary32 operations, each correctly rounded, every fma explicit.
 */
#ifndef COPPICE_NOISE_NOISE_H
#define COPPICE_NOISE_NOISE_H

#include "coppice/base/cpu.h"
#include "coppice/base/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COP_NOISE_VERSION = 1 };

/** Last word of the Philox counter: independent streams. */
typedef enum cop_noise_stream {
    COP_STREAM_WEIGHTS = 0,      /**< perturbations of weights */
    COP_STREAM_SAMPLING = 1,     /**< token sampling */
    COP_STREAM_SPLITS = 2,       /**< permutation of a data set */
    COP_STREAM_POPULATION = 3,   /**< seeds and sigmas of candidates */
    COP_STREAM_CLOUD = 4,        /**< coordinates in the principal directions of a cloud */
    COP_STREAM_BOOTSTRAP = 5,    /**< resampling for intervals */
    COP_STREAM_HALVINGS = 6,     /**< division of the support examples into halves */
    COP_STREAM_PERMUTATIONS = 7, /**< scores permuted over candidates */
    COP_STREAM_LEFT = 8,         /**< rows' factors of noise of low rank */
    COP_STREAM_RIGHT = 9         /**< columns' factors of noise of low rank */
} cop_noise_stream;

/** Tensor id: 32-bit FNV-1a of the tensor's Hugging Face name (unfused). */
uint32_t cop_noise_tensor_id(const char *name);

/** Four words of Philox4x32-10. counter [4], key [2], out [4]. */
void cop_noise_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/** 64 uniform bits: words 0 (low) and 1 of the block `index`, tensor word `domain`. */
uint64_t cop_noise_bits(uint64_t seed, cop_noise_stream stream, uint32_t domain,
                        uint64_t index);

/** A uniform number in (0, 1), binary64, from cop_noise_bits(). */
double cop_noise_uniform(uint64_t seed, cop_noise_stream stream, uint32_t domain,
                         uint64_t index);

/** Element `index` of the weight noise: the definition, plain and scalar. */
float cop_noise_at(uint64_t seed, uint32_t tensor, uint64_t index);

/** As cop_noise_at() in another stream. */
float cop_noise_stream_at(uint64_t seed, cop_noise_stream stream, uint32_t tensor,
                          uint64_t index);

/** Fills out [count] with elements first .. first+count-1. Any `first`, any `count`; all
 *  implementations give the same bits. `isa` must not exceed the processor's. */
void cop_noise_fill(float *out, uint64_t seed, uint32_t tensor, uint64_t first, size_t count,
                    cop_isa isa);

/** As cop_noise_fill() in another stream. */
void cop_noise_stream_fill(float *out, uint64_t seed, cop_noise_stream stream, uint32_t tensor,
                           uint64_t first, size_t count, cop_isa isa);

/** The highest rank that noise of low rank may have. */
enum { COP_MOST_RANK = 64 };

/** Reads a kind of noise: "full" is rank 0, and "rank-1" to "rank-64" are what they say.
 * \return false for anything else. */
bool cop_noise_kind_parse(const char *text, size_t *rank);

#endif
